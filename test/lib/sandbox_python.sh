#!/usr/bin/env bash
#
# sandbox_python.sh - print the path of a python that can run the sandbox
#
# DBMAZZ_SANDBOX_PYTHON wins; else test/sandbox/setup makes one if need be.
#
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
if [ -n "${DBMAZZ_SANDBOX_PYTHON:-}" ]; then
	echo "$DBMAZZ_SANDBOX_PYTHON"
else
	# test/run says where, so that it is made once; else a cache of the user's
	"$root/test/sandbox/setup" ${DBMAZZ_SANDBOX_VENV:+"$DBMAZZ_SANDBOX_VENV"} | tail -n 1
fi
