#!/usr/bin/env bash
#
# server.sh - make a private copy of an installed PostgreSQL
#
# usage: test/lib/server.sh PG_CONFIG DIRECTORY
#
# Prints the path of the copy's pg_config.
#
# The programs are copied, everything else is linked.  PostgreSQL finds its
# library and share directories relative to the program that runs, so an
# extension installed with the copy's pg_config is seen by the copy only: no
# root, no traces in the system, and several test runs can go side by side.
#
set -euo pipefail

pg_config=$1
dest=$2

# The directories' common prefix is what gets replaced by $dest.
bindir=$(readlink -f "$("$pg_config" --bindir)")
libdir=$(readlink -f "$("$pg_config" --pkglibdir)")
sharedir=$(readlink -f "$("$pg_config" --sharedir)")
includedir=$(readlink -f "$("$pg_config" --includedir-server)")
prefix=$bindir
while [ -n "$prefix" ]; do
	case $libdir/:$sharedir/:$includedir/ in
		"$prefix"/*:"$prefix"/*:"$prefix"/*) break ;;
	esac
	prefix=${prefix%/*}
done
[ -n "$prefix" ] || { echo "server.sh: no common prefix of $bindir and $sharedir" >&2; exit 1; }

link_tree()
{
	mkdir -p "$(dirname "$dest${1#"$prefix"}")"
	cp -rs "$1" "$dest${1#"$prefix"}"
}

rm -rf "$dest"
mkdir -p "$dest${bindir#"$prefix"}"
cp -L "$bindir"/* "$dest${bindir#"$prefix"}/"
link_tree "$libdir"
link_tree "$sharedir"
# all headers of the server, to which an extension may add its own
top=$(readlink -f "$("$pg_config" --includedir)")
case $includedir/ in
	"$top"/*) link_tree "$top" ;;
	*) link_tree "$includedir" ;;
esac

# Whatever the system has of dbmazz is not what is being tested.
find "$dest" \( -name 'dbmazz*' \) \( -type l -o -type f \) -delete

echo "$dest${bindir#"$prefix"}/pg_config"
