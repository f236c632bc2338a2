"""A steady load in which nothing breaks, and how much memory the processes have meanwhile."""

import time

from teststand import StandError

from . import load, tables
from .recovery import DEFAULTS
from .world import World

ROLES = ("launcher", "decoder", "shipper")
RATE = 12               # transactions a second, of each session
EVERY = 10.0            # seconds between two looks
WARM_UP = 0.2           # part of the time that does not count: buffers and caches fill
LEAST = 10              # minutes, of which less is only shown
SHOWN = 6               # every so many looks are printed
# Memory that a process may have gained, by the line that fits best: a part that one large batch may leave behind, and
# one that grows with the time, for room that malloc has got from the system early (answers of StarRocks may have
# megabytes) is touched bit by bit.
ALLOWED_KB, ALLOWED_KB_PER_MINUTE = 512, 20
AGAIN = tables.Table("again", ["id"], ["id", "note"], "CREATE TABLE again (id int PRIMARY KEY, note text)")


class Ddl(load.Session):
    """A statement of DDL a second, with rows around it."""

    def __init__(self, server, seed):
        super().__init__(server, seed, "ddl", rate=1)

    def transaction(self):
        rng = self.rng
        kind = rng.randrange(8)
        if kind < 3:
            self.execute(f"INSERT INTO again SELECT g, '{self.text(2000)}'"
                         f" FROM generate_series(1, {rng.randint(1, 50)}) g"
                         " ON CONFLICT (id) DO UPDATE SET note = excluded.note")
        elif kind == 3:
            # another table under the old name
            self.execute("BEGIN; DELETE FROM again; DROP TABLE again; " + AGAIN.ddl +
                         "; ALTER PUBLICATION chaos ADD TABLE again; INSERT INTO again VALUES (1, 'new'); COMMIT")
        elif kind == 4:
            self.execute("BEGIN; UPDATE again SET note = 'a'; ALTER TABLE again ADD COLUMN gone int;"
                         " UPDATE again SET gone = 1; ROLLBACK")
        elif kind == 5:
            self.execute("ALTER TABLE again ALTER note SET STORAGE " + rng.choice(["EXTERNAL", "EXTENDED", "MAIN"]))
        elif kind == 6:
            self.execute(rng.choice(["VACUUM FULL again", "REINDEX TABLE accounts", "ANALYZE docs",
                                     "CREATE TABLE aside (id int); DROP TABLE aside"]))
        else:
            self.execute("TRUNCATE again")


def memory_of(pid):
    """Private memory in kB: what is anonymous, for shared memory is everybody's."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Anonymous:"):
                return int(line.split()[1])
    raise StandError("smaps_rollup does not tell of anonymous memory")


def slope(points):
    """Of the line that fits best, for (x, y)."""
    count = len(points)
    x_mean, y_mean = (sum(point[i] for point in points) / count for i in (0, 1))
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / sum((x - x_mean) ** 2 for x, _ in points)


class Watch:
    """Looks at the processes now and then; each must be the same from the beginning to the end."""

    def __init__(self, world, minutes):
        self.minutes = minutes
        self.pids = {role: world.workers(role) for role in ROLES}
        self.world, self.begin = world, time.monotonic()
        self.samples = {role: [] for role in ROLES}

    def look(self):
        minute = (time.monotonic() - self.begin) / 60
        for role, pids in self.pids.items():
            if len(pids) != 1 or self.world.workers(role) != pids:
                raise StandError(f"the {role} was {pids} and is {self.world.workers(role)}")
            self.samples[role].append((minute, memory_of(pids[0])))
        if (len(self.samples[ROLES[0]]) - 1) % SHOWN == 0:
            print(f"minute {minute:5.1f}: " + ", ".join(f"{role} {self.samples[role][-1][1]} kB" for role in ROLES),
                  flush=True)

    def run(self):
        while time.monotonic() < self.begin + 60 * self.minutes:
            self.look()
            time.sleep(EVERY)

    def problems(self):
        """Prints what the memory has become; returns what is wrong with that."""
        found = []
        for role, samples in self.samples.items():
            counted = [sample for sample in samples if sample[0] >= WARM_UP * self.minutes]
            if len(counted) < 3:
                raise StandError("that is too short")
            minutes = counted[-1][0] - counted[0][0]
            per_minute = slope(counted)
            sizes = [size for _, size in counted]
            allowed = ALLOWED_KB / minutes + ALLOWED_KB_PER_MINUTE
            print(f"{role}: {per_minute:+.1f} kB/min in {minutes:.1f} min ({len(counted)} looks; {allowed:.1f}"
                  f" allowed), {sizes[0]} kB to {sizes[-1]} kB, least {min(sizes)}, most {max(sizes)}", flush=True)
            if per_minute > allowed and self.minutes >= LEAST:
                found.append(f"the {role} grows")
        return found


def soak(options):
    """Runs for options.soak minutes; prints the figures, and returns whether all is well."""
    world = World(options, "soak", quiet=True)
    for name in DEFAULTS:
        world.settings.pop(name)
    world.tables.append(AGAIN)
    with world:
        sessions = [load.Session(world.server, options.seed, number, rate=RATE) for number in range(load.SESSIONS)]
        sessions += [load.Trickle(world.server, options.seed), Ddl(world.server, options.seed)]
        for session in sessions:
            session.start()
        watch = Watch(world, options.soak)
        watch.run()
        for session in sessions:
            session.end()
        problems = [session.failed for session in sessions if session.failed]
        problems += world.compare() + world.log_problems()[0] + watch.problems()
        print(f"{sum(session.changes for session in sessions)} changes; DDL, TRUNCATE and large values among them")
        for problem in problems:
            print(f"PROBLEM: {problem}", flush=True)
    if not problems and not options.keep:
        world.remove()
    return not problems
