#!/usr/bin/env bash
#
# python_runner.sh - run a test in Python against an installed server
#
# usage: PG_CONFIG=... test/lib/python_runner.sh NAME [OPTION...]
#
# NAME is a package in test/NAME; it finds test/lib/teststand, and the sandbox's
# python in DBMAZZ_SANDBOX_PYTHON.
#
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
name=$1
shift
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dbmazz
[ -z "${DBMAZZ_SANDBOX_VENV:-}" ] || cache=$(dirname "$DBMAZZ_SANDBOX_VENV")

DBMAZZ_SANDBOX_PYTHON=$("$root/test/lib/sandbox_python.sh")
python=$("$root/test/sandbox/setup" "$cache/teststand-venv" "$root/test/lib/teststand/requirements.txt" | tail -n 1)
export DBMAZZ_SANDBOX_PYTHON PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/test/lib
cd "$root/test/$name"
exec "$python" -m "$name" "$@"
