"""Every rule of RULES.md has a test that carries its number."""

import glob
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def read(name):
    with open(name, encoding="utf-8") as file:
        return file.read()


def test_every_rule_has_a_test():
    rules = {int(n) for n in re.findall(r"^\| (\d+) \|", read(os.path.join(HERE, "RULES.md")), re.MULTILINE)}
    tested = {int(n) for path in glob.glob(os.path.join(HERE, "test_*.py"))
              for n in re.findall(r"def test_rule_(\d+)_", read(path))}
    assert rules == set(range(1, 56))
    assert tested == rules
