"""What the server's log must not have."""

import re

_LINE = re.compile(r"^\S+ \S+ \S+ \[(\d+)\] (\w{5}) ")
_DIED = re.compile(r"\(PID (\d+)\) was terminated by signal (\d+)")
_EXITED = re.compile(r"\(PID \d+\) exited with exit code (\d+)")
# what a process does that the postmaster has told to leave at once
_QUIT = "2"
_REACHED = re.compile(r'LOG: +debug point "\w+" was reached')
_REINIT = "terminating any other active server processes"
_EMPTY = "all server processes terminated; reinitializing"
# errors that tell of something that cannot be, but for those that were ordered
_ORDERED = re.compile(r'debug point "\w+" raised an error|could not write to (data )?file|File too large')
SHOWN = 300


class ServerLog:
    """check() looks at what came since the last time.  'never' are texts that must not be in it, besides."""

    def __init__(self, path, secrets, never=()):
        self.path, self.secrets, self.never = path, secrets, never
        self.place = 0

    def check(self, killed):
        """'killed' are the processes that the schedule killed.  Returns (problems, number of crashes)."""
        with open(self.path, encoding="utf-8", errors="replace") as file:
            file.seek(self.place)
            lines = file.readlines()
            self.place = file.tell()
        killed, crashes, problems = set(killed), 0, []
        # of the last process that ended, and was it a kill of the schedule's?
        cause, planned = "nothing", False
        # is the server busy with a crash that was planned?
        crashing = False
        for line in lines:
            begin = _LINE.match(line)
            died, exited = _DIED.search(line), _EXITED.search(line)
            if died:
                cause, planned = line.strip()[:SHOWN], int(died[1]) in killed and died[2] == "9"
            elif exited:
                # A postmaster whose checkpointer is killed during recovery forgets that it has sent all others away,
                # if recovery has just succeeded: the first of them to leave looks like another crash.
                cause, planned = line.strip()[:SHOWN], crashing and exited[1] == _QUIT
            if begin and _REACHED.search(line):
                killed.add(int(begin[1]))
            elif died and not planned or self._is_bad(line, begin):
                problems.append(line.strip()[:SHOWN])
            elif _REINIT in line:
                crashes += not (planned and crashing)
                if not planned:
                    problems.append(f"the server has initialized itself because of: {cause}")
                cause, planned, crashing = "nothing", False, planned
            elif _EMPTY in line:
                crashing = False
        for secret in self.secrets:
            if any(secret in line for line in lines):
                problems.append("the log has the password")
        return problems, crashes

    def tail(self, count):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return "".join(line[:SHOWN].rstrip("\n") + "\n" for line in file.readlines()[-count:])

    def _is_bad(self, line, begin):
        if any(text in line for text in ("PANIC:", "TRAP:", *self.never)):
            return True
        return begin and begin[2] in ("XX000", "XX001", "XX002") and not _ORDERED.search(line)
