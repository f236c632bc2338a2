#!/usr/bin/env bash
#
# python_start.sh - build dbmazz for a server, and run a test in Python there
#
# usage: test/lib/python_start.sh NAME [--pg VERSION] [--keep] [OPTION of the test...]
#
# NAME is oracle or chaos.  As test/run does, in a private copy and as an
# unprivileged user.  What was finished is in test/NAME/build/done-VERSION.  Files
# that the test leaves as dbmazz-NAME-* in --dir, because something failed, come to
# test/NAME/build/bad-VERSION; DBMAZZ_KEPT_IN tells the test so.
#
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/lib/packages.sh"
. "$root/test/lib/places.sh"

name=${1:?usage: $0 NAME [OPTION...]}
shift
native=15
version=$native
keep=no
options=()
while [ $# -gt 0 ]; do
	case $1 in
		--pg) version=${2:?--pg needs a version}; shift ;;
		--keep) keep=yes; options+=(--keep) ;;
		*) options+=("$1") ;;
	esac
	shift
done
# what places.sh works on
versions=()
# shellcheck disable=SC2034
background=()
packages=("${base_packages[@]}" "postgresql-$native" "postgresql-server-dev-$native")
if [ "$version" != "$native" ]; then
	release=$(awk -v v="$version" '$1 == v { print $2 }' "$root/test/matrix/servers")
	[ -n "$release" ] || { echo "$0: no server $version in test/matrix/servers" >&2; exit 2; }
	versions=("$version")
	packages+=("${matrix_packages[@]}")
fi

# What was finished, and what failed, also if somebody interrupts the rest.
state=$root/test/$name/build/done-$version
kept=$root/test/$name/build/bad-$version
save_and_cleanup()
{
	local status=$1 there base move=()
	there=$(source_of "$version")
	[ ! -e "$there/test/$name/build/done" ] || cp "$there/test/$name/build/done" "$state"
	[ "$version" = "$native" ] || move=(as_root)
	for base in "${there%/*}/home/dbmazz-$name-"*; do
		[ "$keep" = no ] && [ -d "$base" ] || continue
		mkdir -p "$kept"
		"${move[@]}" mv "$base" "$kept/"
	done
	cleanup "$status"
}

install_packages "${packages[@]}"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/dbmazz-test.XXXXXX")
chmod 755 "$work"
mkdir -p "$work/state" "$work/logs" "$root/test/$name/build"
trap 'save_and_cleanup $?' EXIT
trap 'exit 130' INT TERM HUP

snapshot_tree
if [ "$version" = "$native" ]; then
	copy_to_native
else
	as_root "$root/test/matrix/make_tree.sh" "$version" "$release" "$(tree_of "$version")" >"$work/logs/tree" 2>&1
	copy_to_tree "$version"
fi
there=$(source_of "$version")/test/$name/build
as_root install -d -m 777 "$there"
[ ! -e "$state" ] || install -m 666 "$state" "$there/done"
make_server "$version"
in_place "$version" test/lib/suite.sh build
"${command[@]}" </dev/null >"$work/logs/build" 2>&1 || { tail -n 30 "$work/logs/build"; exit 1; }

# with --keep all stays where it is
[ "$keep" = no ] || kept=${there%/src/*}/home
in_place "$version" env DBMAZZ_KEPT_IN="$kept" \
	PG_CONFIG="$(place_of "$version")/server/lib/postgresql/$version/bin/pg_config" \
	"test/$name/run" --state build/done --dir "$(place_of "$version")/home" "${options[@]}"
"${command[@]}" </dev/null
