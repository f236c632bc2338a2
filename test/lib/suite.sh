#!/usr/bin/env bash
#
# suite.sh - run one suite in this tree, as this user
#
# usage: test/lib/suite.sh SUITE [TEST...]
#
# test/run calls this in a copy of the tree, as an unprivileged user, on the
# machine itself and inside the trees of other releases.  Environment:
#
#   DBMAZZ_PG            major version of the server
#   DBMAZZ_SERVER        directory of the private copy of that server
#   DBMAZZ_FUZZ_SECONDS  for how long each fuzzer runs
#
# Each suite ends with a line "N passed, N failed", which test/run adds up.
#
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
suite=$1
shift

export PG_CONFIG=$DBMAZZ_SERVER/lib/postgresql/$DBMAZZ_PG/bin/pg_config
jobs=$(nproc)

# Bitcode for the server's JIT is of no use to the tests.
run_make() { make -s --no-print-directory PG_CONFIG="$PG_CONFIG" with_llvm=no "$@"; }

case $suite in
	server)
		# what all others build against
		test/lib/server.sh "/usr/lib/postgresql/$DBMAZZ_PG/bin/pg_config" "$DBMAZZ_SERVER"
		;;
	build)
		# as users build it, then as it is tested
		run_make -j "$jobs" COPT='-Werror'
		run_make clean
		run_make -j "$jobs" \
			COPT='-Werror -DUSE_ASSERT_CHECKING -DDBMAZZ_DEBUG_POINTS'
		run_make install
		echo "1 passed, 0 failed"
		;;
	lint)
		run_make lint
		;;
	unit)
		run_make unit
		;;
	fuzz)
		# one line per fuzzer; a finding ends it
		make -s -C test/fuzz run S="${DBMAZZ_FUZZ_SECONDS:-60}" | tee fuzz.log
		echo "$(grep -c 'no finding' fuzz.log) passed, 0 failed"
		;;
	regress | isolation)
		test/lib/pg_regress.sh "$suite" "$@"
		;;
	tap)
		test/lib/prove.sh "$@"
		;;
	core)
		# the part of the TAP tests that runs on every version; there all changes that
		# the fast path would take are compared with pgoutput's
		export DBMAZZ_FAST_PATH=${DBMAZZ_FAST_PATH:-verify}
		mapfile -t tests < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' test/t/core.list)
		test/lib/prove.sh ${tests[@]+"${tests[@]}"}
		;;
	sandbox)
		python=$(test/lib/sandbox_python.sh)
		cd test/sandbox
		"$python" -m pytest -q -p no:cacheprovider "$@" tests
		;;
	sinks)
		# the sink StarRocks against the sandbox
		python=$(test/lib/sandbox_python.sh)
		make -s -j "$jobs" -C test/unit/sinks build/drive_starrocks build/names.so
		cd test/unit/sinks
		"$python" test_sandbox.py "$@" | tee sandbox.log
		echo "$(grep -c '^ok ' sandbox.log) passed, 0 failed"
		;;
	oracle)
		# the names of tests are seeds
		if [ $# -gt 0 ]; then
			IFS=,
			test/oracle/run --seeds "$*"
		else
			# further seeds are others for other code, and the same when it is tested again
			code=$(LC_ALL=C; cat src/*.[ch] src/*/*.[ch] test/oracle/oracle/*.py | cksum)
			test/oracle/run --selftest --seeds 3,31 --changes 2000 --minutes 0.4 \
				--start $((${code%% *} % 1000000))
		fi
		;;
	chaos)
		# the name of a test is the seed of one round
		if [ $# -gt 0 ]; then
			test/chaos/run --rounds 1 --seed "$1"
		else
			test/chaos/run --selftest --rounds 10 --seed 0 --seconds 3
			test/chaos/run --delivery exactly_once --rounds 5 --seed 10 --seconds 3
			test/chaos/run --delivery atomic --rounds 5 --seed 110 --seconds 3
		fi
		;;
	*)
		echo "suite.sh: no suite \"$suite\"" >&2
		exit 2
		;;
esac
