"""The demo: a PostgreSQL with dbmazz, a StarRocks, traffic, a comparison."""


class DemoError(Exception):
    """Something that the user should read, without a traceback."""
