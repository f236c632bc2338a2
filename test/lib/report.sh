# shellcheck shell=bash
#
# report.sh - what test/run prints (sourced by test/run)
#
# A result is a file in $work/results: status, seconds, passed, failed.
#

say() { printf '%02d:%02d  %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

# All lines "N passed, N failed" of a log, added up: a suite may have several
# runners.  A word or pytest's rule may stand before it, and pytest's order is
# the other way round.
count_tests()
{
	awk '
		/^([a-z_]+: |=+ )?[0-9]+ (passed|failed|error)/ {
			n = split($0, word, /[ ,=]+/)
			for (i = 2; i <= n; i++)
			{
				if (word[i] == "passed") passed += word[i - 1]
				if (word[i] == "failed" || word[i] ~ /^errors?$/) failed += word[i - 1]
			}
		}
		END { print passed + 0, failed + 0 }' "$1"
}

# record VERSION SUITE STATUS SECONDS LOG
record()
{
	local passed failed word=passed
	read -r passed failed < <(count_tests "$5")
	if [ "$3" = 0 ] && [ "$failed" = 0 ]; then
		[ "$passed" -gt 0 ] || word='no tests'
	else
		[ "$failed" -gt 0 ] || failed=1
		word=FAILED
		[ "$3" != 124 ] && [ "$3" != 137 ] || word='TIMED OUT'
	fi
	# named so that they sort in the order in which they ended
	echo "$1|$2|$word|$4|$passed|$failed" >"$work/results/${EPOCHREALTIME//[.,]/}-$1-$2"
	say "PostgreSQL $1 $2: $word, $passed tests passed, $4 s"
}

# broken REASON: test/run itself went wrong
broken()
{
	echo "$native|run|FAILED|0|0|1" >"$work/results/0-run"
	say "$1"
}

# absent VERSION REASON: a server that cannot be had is not a failure
absent()
{
	echo "$1|-|not here|0|0|0" >"$work/results/0-$1"
	say "PostgreSQL $1 is not tested: $2"
}

# The ends of whatever a failed suite left.
failure_details()
{
	local version=$1 name=$2 file source
	source=$(source_of "$version")
	printf '\n======== PostgreSQL %s %s ========\n' "$version" "$name"
	[ ! -e "$work/logs/$version-$name.log" ] || tail -n 80 "$work/logs/$version-$name.log" | cut -c 1-400
	[ -d "$source/tmp_check" ] || return 0
	case $name in
		regress | isolation)
			for file in "$source/tmp_check/$name/regression.diffs" \
				"$source/tmp_check/$name/log/postmaster.log"; do
				show_tail "$file" 120
			done ;;
		tap | core)
			# the logs of those tests that failed, the servers' among them
			sed -n 's/^\(.*\/\)\{0,1\}\([^ ]*\)\.pl  *(Wstat.*/\2/p' \
				"$source/tmp_check/tap_summary" | sort -u | head -n 8 |
				while read -r test; do
					for file in "$source"/tmp_check/log/regress_log_"$test" \
						"$source"/tmp_check/log/*"$test"_*.log; do
						show_tail "$file" 50
					done
				done ;;
	esac
}

show_tail()
{
	[ -s "$1" ] || return 0
	printf -- '-------- %s, last %s lines\n' "${1##*/tmp_check/}" "$2"
	tail -n "$2" "$1" | cut -c 1-400
}

# The table; exits with the run's status.
report()
{
	local version name word seconds passed failed all=0 bad=0 bad_suites=()
	while IFS='|' read -r version name word seconds passed failed; do
		[ "$failed" = 0 ] || bad_suites+=("$version $name")
	done < <(cat "$work"/results/* 2>/dev/null | sort -t'|' -k1,1n -s)
	for name in "${bad_suites[@]}"; do
		# shellcheck disable=SC2086
		failure_details $name
	done

	printf '\n%-12s %-10s %-10s %7s %7s %8s\n' PostgreSQL suite result passed failed seconds
	while IFS='|' read -r version name word seconds passed failed; do
		printf '%-12s %-10s %-10s %7s %7s %8s\n' \
			"$version" "$name" "$word" "$passed" "$failed" "$seconds"
		all=$((all + passed))
		bad=$((bad + failed))
	done < <(cat "$work"/results/* 2>/dev/null | sort -t'|' -k1,1n -s)
	printf '\n%d minutes %d seconds\n' $((SECONDS / 60)) $((SECONDS % 60))
	[ ${#bad_suites[@]} = 0 ] || printf 'failed: %s\n' "${bad_suites[@]/#/PostgreSQL }"
	echo "$all passed, $bad failed"
	[ "$bad" = 0 ] || exit 1
}
