"""Builds dbmazz from this tree into a private copy of the server.

Nothing is built in the tree or installed into the system's PostgreSQL, so a
run measures what the tree holds at its begin, and disturbs nobody.
"""

import os
import shutil
import subprocess

from . import BenchError


def _files(root):
    """The files of the tree that git knows or would know."""
    result = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z",
         "--cached", "--others", "--exclude-standard"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if result.returncode == 0:
        return [os.fsdecode(name) for name in result.stdout.split(b"\0")
                if name]
    found = []
    for folder, _folders, names in os.walk(root):
        found += [os.path.relpath(os.path.join(folder, name), root)
                  for name in names if not name.endswith((".o", ".so"))]
    return found


def copy_tree(root, to):
    """Copy what git knows or would know."""
    for name in _files(root):
        source, target = os.path.join(root, name), os.path.join(to, name)
        if os.path.isfile(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target)


def _run(args, log, what):
    with open(log, "a", encoding="utf-8") as out:
        result = subprocess.run(args, stdout=out, stderr=out, check=False)
    if result.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as file:
            bad = [line for line in file if "rror" in line and
                   not line.startswith(("gcc ", "cc ", "clang "))]
        raise BenchError(f"{what}: {''.join(bad[:5]).strip()}")


def private(root, pg_config, base):
    """Returns the pg_config of a copy under 'base' that has dbmazz."""
    source, log = os.path.join(base, "src"), os.path.join(base, "build.log")
    copy_tree(root, source)
    result = subprocess.run(
        [os.path.join(source, "test", "lib", "server.sh"), pg_config,
         os.path.join(base, "server")], stdout=subprocess.PIPE, text=True,
        check=False)
    if result.returncode != 0:
        raise BenchError("the server's programs could not be copied")
    mine = result.stdout.strip()
    make = ["make", "-C", source, f"PG_CONFIG={mine}"]
    _run([*make, f"-j{len(os.sched_getaffinity(0))}"], log,
         "dbmazz could not be built")
    _run([*make, "install"], log, "dbmazz could not be installed")
    return mine
