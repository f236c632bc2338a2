"""Chaos: everything breaks at random, and the target must have every row all the same."""
