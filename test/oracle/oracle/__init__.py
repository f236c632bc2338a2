"""The oracle: random schemas and changes, and what the target must hold after them."""


class OracleError(Exception):
    """The oracle itself cannot go on; this is no difference."""
