"""What the benchmark is made of; see ../README.md."""


class BenchError(Exception):
    """Something that ends the measurement, said in one sentence."""
