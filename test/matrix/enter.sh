#!/usr/bin/env bash
#
# enter.sh - run a command inside the tree of another release
#
# usage: test/matrix/enter.sh TREE USER DIRECTORY COMMAND...
#
# Needs root.  The command gets mount and process namespaces of its own: what
# is mounted and whatever still runs goes away with it, however it ends.  bash
# is the first process in there because that one has to reap orphans.
#
set -euo pipefail

# shellcheck disable=SC2016
exec unshare --mount --propagation private --pid --fork --kill-child bash -c '
	tree=$0
	mount -t proc proc "$tree/proc" || exit 125
	mkdir -p "$tree/dev/shm"
	mount -t tmpfs -o mode=1777 shm "$tree/dev/shm" || exit 125
	if [ "$1" = root ]; then
		chroot "$tree" env -C "$2" "${@:3}"
	else
		chroot "$tree" runuser -u "$1" -- env -C "$2" "${@:3}"
	fi
	exit $?
' "$@"
