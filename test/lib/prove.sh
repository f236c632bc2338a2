#!/usr/bin/env bash
#
# prove.sh - run TAP tests against an installed server
#
# usage: PG_CONFIG=... test/lib/prove.sh [TEST...]
#
# A TEST is a file, or the name of one in test/t without its suffix.  Without
# names all of test/t run.  PROVE_JOBS (default 2) run at a time; PROVE_FLAGS
# is passed on.  Logs are in tmp_check/log, data directories beside it.
#
# Tests find the sandbox by DBMAZZ_SANDBOX_PYTHON and PYTHONPATH.
#
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
pg_config=${PG_CONFIG:-pg_config}

if [ "$(id -u)" = 0 ]; then
	echo "$0: PostgreSQL does not run as root; use: test/run --only tap" >&2
	exit 2
fi

pgxs=$("$pg_config" --pgxs)
tests=${pgxs%/makefiles/pgxs.mk}/test

files=()
for name in "$@"; do
	if [ -e "$name" ]; then
		files+=("$(realpath --relative-to="$root/test" "$name")")
	elif [ -e "$root/test/t/$name.pl" ]; then
		files+=("t/$name.pl")
	else
		echo "$0: there is no test \"$name\"" >&2
		exit 2
	fi
done
if [ $# = 0 ]; then
	for file in "$root"/test/t/*.pl; do
		[ ! -e "$file" ] || files+=("t/${file##*/}")
	done
fi
if [ ${#files[@]} = 0 ]; then
	echo "no tap tests"
	echo "0 passed, 0 failed"
	exit 0
fi

# where PostgreSQL's modules put things up to version 15, whatever one says
out=$root/tmp_check
mkdir -p "$out"
rm -rf "$out/log" "$out/portlock" "$out"/t_* "$out"/tmp_test_*
mkdir "$out/log"

if [ -z "${DBMAZZ_SANDBOX_PYTHON:-}" ]; then
	DBMAZZ_SANDBOX_PYTHON=$("$root/test/lib/sandbox_python.sh")
fi
export DBMAZZ_SANDBOX_PYTHON
export PYTHONPATH=$root/test/sandbox

# What PGXS gives to TAP tests; TESTLOGDIR and TESTDATADIR since PostgreSQL 16.
export PG_CONFIG=$pg_config
PATH=$("$pg_config" --bindir):$PATH
export PATH
export PG_REGRESS=$tests/regress/pg_regress
export TESTDIR=$root TESTDATADIR=$out TESTLOGDIR=$out/log
export PGPORT=65432

cd "$root/test"
status=0
# shellcheck disable=SC2086
prove -I "$tests/perl" -I "$root/test/lib" --timer -j "${PROVE_JOBS:-2}" \
	${PROVE_FLAGS:-} "${files[@]}" 2>&1 | tee "$out/tap_summary" || status=$?

awk -v status="$status" '
	/^Files=/ { split($0, f, /[=,]/); total = f[4] }
	/^ *Failed [0-9]+\/[0-9]+ subtests/ { split($2, f, "/"); failed += f[1] }
	/^Dubious, test returned / { dubious++ }
	END {
		if (failed < dubious) failed = dubious
		if (status && !failed) failed = 1
		passed = total - failed
		if (passed < 0) passed = 0
		printf "%d passed, %d failed\n", passed, failed
	}' "$out/tap_summary"
exit "$status"
