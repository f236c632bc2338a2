#!/usr/bin/env bash
# The StarRocks sink against the sandbox.
#
# usage: run_sandbox.sh [part of a test's name...]

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
python=$(../../sandbox/setup)
exec "$python" test_sandbox.py "$@"
