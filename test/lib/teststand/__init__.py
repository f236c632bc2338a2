"""What long-running tests in Python start and ask: a PostgreSQL with dbmazz, and a sandbox as its target."""


class StandError(Exception):
    """The test itself cannot go on; this is no difference."""
