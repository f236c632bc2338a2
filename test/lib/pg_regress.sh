#!/usr/bin/env bash
#
# pg_regress.sh - run SQL or isolation tests on a server of their own
#
# usage: PG_CONFIG=... test/lib/pg_regress.sh [regress|isolation [TEST...]]
#
# Without names all of test/sql (or test/specs) run, in the order of their
# names; without a kind both do.  dbmazz must be installed in the server that
# PG_CONFIG belongs to.
#
# The inputs are below test/, the outputs in expected/ at the top, as the
# top-level sql/ belongs to the extension's scripts.  pg_regress looks for
# sql/ and specs/ below --inputdir, but for expected/ below --outputdir up to
# PostgreSQL 15 and below --expecteddir (default: the current directory) since
# 16.  Links in an expected/ of the output directory, with that as the current
# directory, serve both.
#
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
if [ $# = 0 ]; then
	status=0
	"$0" regress || status=$?
	"$0" isolation || status=$?
	exit "$status"
fi
kind=$1
shift

pgxs=$("$pg_config" --pgxs)
tests=${pgxs%/makefiles/pgxs.mk}/test
case $kind in
	regress)
		driver=$tests/regress/pg_regress
		inputs=("$root"/test/sql/*.sql) ;;
	isolation)
		driver=$tests/isolation/pg_isolation_regress
		inputs=("$root"/test/specs/*.spec) ;;
	*)
		echo "usage: $0 regress|isolation [TEST...]" >&2
		exit 2 ;;
esac

if [ "$(id -u)" = 0 ]; then
	echo "$0: PostgreSQL does not run as root; use: test/run --only $kind" >&2
	exit 2
fi

if [ $# = 0 ]; then
	for file in "${inputs[@]}"; do
		[ -e "$file" ] || continue
		name=$(basename "$file")
		set -- "$@" "${name%.*}"
	done
fi
if [ $# = 0 ]; then
	echo "no $kind tests"
	echo "0 passed, 0 failed"
	exit 0
fi

out=$root/tmp_check/$kind
rm -rf "$out"
mkdir -p "$out"
cd "$out"
mkdir expected
for file in "$root"/expected/*.out; do
	[ ! -e "$file" ] || ln -s "$file" expected/
done
# a new test fails, but does not end the run
for name in "$@"; do
	[ -e "expected/$name.out" ] || : >"expected/$name.out"
done

export PG_REGRESS_DIFF_OPTS=${PG_REGRESS_DIFF_OPTS:--U3}
status=0
"$driver" --inputdir="$root/test" --outputdir=. \
	--bindir="$("$pg_config" --bindir)" \
	--temp-instance="$out/instance" --temp-config="$root/test/dbmazz.conf" \
	--no-locale --encoding=UTF8 --dbname="dbmazz_$kind" "$@" \
	2>&1 | tee "$out/summary" || status=$?

# One line that is the same for all versions of pg_regress.
awk -v status="$status" '
	/^(test .*\.\.\. ok|ok [0-9]+)/ { passed++ }
	/^(test .*\.\.\. (FAILED|failed)|not ok [0-9]+)/ { failed++ }
	END {
		if (status && !failed) failed = 1
		printf "\n%d passed, %d failed\n", passed, failed
	}' "$out/summary"
exit "$status"
