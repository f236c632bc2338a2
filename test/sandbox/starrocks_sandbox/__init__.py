"""A single-node stand-in for StarRocks: Stream Load, label state, DDL and queries."""

__version__ = "1.0.0"
