"""The sinks against servers that misbehave.

usage: test_faults.py [part of a test's name...]
"""

import sys

import faults_broken
import faults_compressed
import faults_loads
import faults_outcomes
import faults_security
import faults_target
from common import run_tests


def main():
    tests = []
    for module in (faults_loads, faults_compressed, faults_broken,
                   faults_outcomes, faults_security, faults_target):
        tests += [(name, function) for name, function in vars(module).items()
                  if name.startswith("test_")]
    return run_tests(tests, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
