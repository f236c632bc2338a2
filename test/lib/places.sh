# shellcheck shell=bash
#
# places.sh - where test/run runs things, and as whom (sourced by test/run)
#
# A place is a copy of the tree, a private server beside it, and a user: for
# the machine's own PostgreSQL a directory in $work, for another release a
# directory in that release's tree.  Root is never the user, as PostgreSQL does
# not run as root; "postgres" is there with Debian's packages.
#
# Uses root, work, native, keep of test/run.  in_place leaves its answer in
# the array command.
#

if [ "$(id -u)" = 0 ]; then
	unprivileged=postgres
else
	unprivileged=$(id -un)
fi

tree_of() { echo "${DBMAZZ_MATRIX_DIR:-/var/cache/dbmazz-matrix}/$1"; }

# Where a place is, as its own processes see it.
place_of()
{
	if [ "$1" = "$native" ]; then echo "$work/$native"; else echo "/var/tmp/${work##*/}"; fi
}

# What of the environment reaches the suites, as arguments of env.
environment()
{
	local version=$1 place name
	place=$(place_of "$version")
	printf '%s\n' -i LANG=C.UTF-8 HOME="$place/home" \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		DBMAZZ_PG="$version" DBMAZZ_SERVER="$place/server" \
		DBMAZZ_SANDBOX_VENV="$(venv_of "$version")"
	while read -r name; do
		case $name in
			DBMAZZ_PG | DBMAZZ_SERVER | DBMAZZ_SANDBOX_*) ;;
			CI | TERM | *_proxy | *_PROXY | PIP_* | SSL_CERT_* | REQUESTS_CA_BUNDLE | \
				PROVE_* | PG_TEST_* | DBMAZZ_*)
				printf '%s\n' "$name=${!name}" ;;
		esac
	done < <(compgen -e)
}

# Made once for all runs; nothing else is kept on the machine.
venv_of()
{
	if [ "$1" != "$native" ] || [ "$(id -u)" = 0 ]; then
		echo /var/cache/dbmazz/venv
	else
		echo "${XDG_CACHE_HOME:-$HOME/.cache}/dbmazz/venv"
	fi
}

# in_place VERSION COMMAND...: how to run a command in the copy for VERSION.
#
# As root it gets a process namespace of its own, so that servers it started
# end with it; bash is its first process because that one has to reap orphans.
in_place()
{
	local version=$1 env place
	shift
	place=$(place_of "$version")
	mapfile -t env < <(environment "$version")
	if [ "$version" != "$native" ]; then
		command=("$root/test/matrix/enter.sh" "$(tree_of "$version")" postgres
			"$place/src" env "${env[@]}" "$@")
		[ "$(id -u)" = 0 ] || command=(sudo -n "${command[@]}")
	elif [ "$(id -u)" = 0 ]; then
		# shellcheck disable=SC2016
		command=(unshare --pid --mount-proc --fork --kill-child
			bash -c 'cd "$0" && runuser -u "$1" -- "${@:2}"; exit $?'
			"$place/src" "$unprivileged" env "${env[@]}" "$@")
	else
		command=(env -C "$place/src" "${env[@]}" "$@")
	fi
}

# The files of the tree that git knows or would know, as they are now: all
# servers test the same, whatever is edited meanwhile.
snapshot_tree()
{
	tree_files >"$work/tree.tar"
}

tree_files()
{
	cd "$root" || return
	if [ -e .git ]; then
		git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
			while IFS= read -r -d '' file; do
				[ ! -e "$file" ] && [ ! -L "$file" ] || printf '%s\0' "$file"
			done | tar --null --no-recursion -T - -c
	else
		tar --exclude=./tmp_check -c .
	fi
}

copy_to_native()
{
	local place venv
	place=$(place_of "$native")
	venv=$(venv_of "$native")
	mkdir -p "$place/src" "$place/home" "$(dirname "$venv")"
	tar -xf "$work/tree.tar" --no-same-owner -C "$place/src"
	if [ "$(id -u)" = 0 ]; then
		chown -R "$unprivileged:" "$place" "$(dirname "$venv")"
	fi
}

copy_to_tree()
{
	local tree place
	tree=$(tree_of "$1")
	place=$tree$(place_of "$1")
	as_root mkdir -p "$place/src" "$place/home" "$tree$(dirname "$(venv_of "$1")")"
	as_root tar -xf "$work/tree.tar" --no-same-owner -C "$place/src"
	as_root chroot "$tree" chown -R postgres: "$(place_of "$1")" "$(dirname "$(venv_of "$1")")"
}

# The private copy of the installed server, which all suites build against.
make_server()
{
	in_place "$1" test/lib/suite.sh server
	"${command[@]}" </dev/null >"$work/logs/$1-server.log" 2>&1 || {
		cat "$work/logs/$1-server.log"
		return 1
	}
}

# The copy of the tree for a version, as this process sees it.
source_of()
{
	if [ "$1" = "$native" ]; then
		echo "$(place_of "$1")/src"
	else
		echo "$(tree_of "$1")$(place_of "$1")/src"
	fi
}

# What the machine's own server answered, as what is expected from now on.
accept_results()
{
	local file
	for file in "$(source_of "$native")"/tmp_check/{regress,isolation}/results/*.out; do
		[ -e "$file" ] || continue
		mkdir -p "$root/expected"
		cmp -s "$file" "$root/expected/${file##*/}" || {
			cat "$file" >"$root/expected/${file##*/}"
			echo "accepted: expected/${file##*/}"
		}
	done
}

wait_for()
{
	while [ ! -e "$1" ]; do
		sleep 0.3
	done
}

# End what still runs, by the ids that were written down, and tidy up.
cleanup()
{
	local status=$1 file version
	trap '' INT TERM HUP
	[ ${#background[@]} = 0 ] || kill "${background[@]}" 2>/dev/null || true
	for file in "$work"/state/pid-*; do
		[ -e "$file" ] || continue
		kill "$(cat "$file")" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	if [ "$keep" = yes ]; then
		for version in "$native" "${versions[@]}"; do
			[ ! -d "$(source_of "$version")" ] || echo "kept: $(source_of "$version")"
		done
	else
		for version in "${versions[@]}"; do
			as_root rm -rf "$(tree_of "$version")$(place_of "$version")"
		done
		rm -rf "$work"
	fi
	exit "$status"
}
