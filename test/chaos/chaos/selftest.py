"""Can the look at the log, and who reads the target, find anything?"""

import tempfile

from .reader import LEAST, Reader
from .serverlog import ServerLog

SECRET = "a-secret"
NEVER = "is cut"
POSTMASTER = "2026-01-01 00:00:00.000 UTC [10] 00000 postmaster LOG:  "
WORKER = "2026-01-01 00:00:00.000 UTC [{pid}] {state} dbmazz shipper {text}"
REINIT = POSTMASTER + "terminating any other active server processes"
EMPTY = POSTMASTER + "all server processes terminated; reinitializing"
READY = POSTMASTER + "database system is ready to accept connections"


def ended(pid, how):
    return POSTMASTER + f'background worker "dbmazz shipper" (PID {pid}) {how}'


def killed(pid):
    return [ended(pid, "was terminated by signal 9: Killed"), REINIT]


def worker(pid, text, state="00000"):
    return WORKER.format(pid=pid, state=state, text=text)


REACHED = worker(21, 'LOG:  debug point "rows_read" was reached')
QUIT = [ended(22, "exited with exit code 2"), REINIT]

# name, lines, problems, crashes; the schedule has killed process 20
CASES = [
    ("a kill of the schedule's", [*killed(20), EMPTY, READY], 0, 1),
    ("a kill that was not its", [*killed(19), EMPTY, READY], 2, 1),
    ("a debug point's kill", [REACHED, *killed(21), EMPTY, READY], 0, 1),
    ("a process that leaves", [ended(19, "exited with exit code 1"), READY], 0, 0),
    ("a process that leaves, and the server with it", [ended(19, "exited with exit code 1"), *QUIT[1:], EMPTY], 1, 1),
    ("a kill, and who left because of it", [*killed(20), READY, *QUIT, EMPTY, READY], 0, 1),
    ("who leaves like that by himself", [*QUIT, EMPTY, READY], 1, 1),
    ("who leaves like that later", [*killed(20), EMPTY, READY, *QUIT, EMPTY, READY], 1, 2),
    ("one who left because of a kill that was not planned", [*killed(19), READY, *QUIT, EMPTY], 3, 2),
    ("a crash by another signal", [ended(20, "was terminated by signal 11: Segmentation fault"), REINIT], 2, 1),
    ("no cause", [*killed(20), EMPTY, READY, REINIT], 1, 2),
    ("a failed assertion", [worker(30, 'TRAP: FailedAssertion("0")')], 1, 0),
    ("an internal error", [worker(30, "ERROR:  that cannot be", "XX000")], 1, 0),
    ("one that was ordered", [worker(30, 'ERROR:  debug point "rows_read" raised an error', "XX000")], 0, 0),
    ("the password", [worker(30, f"LOG:  {SECRET}")], 1, 0),
    ("what must never be there", [worker(30, f"LOG:  a transaction {NEVER}")], 1, 0),
]
# what a reader may see: (left, right, moved, number of moves)
LOOKS = [((0, 0, 0, 0), 0), ((-5, 5, 5, 2), 0), ((None, None, None, 0), 0),
         ((-5, 0, 0, 0), 1), ((-5, 5, 0, 0), 1), ((0, 0, 5, 2), 1)]


def log_of(lines):
    with tempfile.NamedTemporaryFile("w", suffix=".log", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
        file.flush()
        return ServerLog(file.name, [SECRET], [NEVER]).check({20})


def run():
    """Returns how many cases are as they should be, and how many are not."""
    wrong = []
    for name, lines, problems, crashes in CASES:
        found, seen = log_of(lines)
        if (len(found), seen) != (problems, crashes):
            wrong.append(f"{name}: {found}, {seen} crashes")
    for look, broken in LOOKS:
        reader = Reader(None)
        reader.look(*look)
        if len(reader.broken) != broken:
            wrong.append(f"{look}: {reader.broken}")
    reader = Reader(None)
    for _ in range(LEAST):
        reader.look(0, 0, 0, 0)
    if not reader.problems():
        wrong.append("a reader for whom nothing happens is content")
    for failure in wrong:
        print(f"selftest: FAILED: {failure}")
    count = len(CASES) + len(LOOKS) + 1
    print(f"selftest: {count - len(wrong)} passed, {len(wrong)} failed", flush=True)
    return not wrong
