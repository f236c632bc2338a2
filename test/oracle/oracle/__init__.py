"""The oracle: random schemas and changes, and what the target must hold after them."""

from teststand import StandError as OracleError  # noqa: F401
