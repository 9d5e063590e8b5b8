"""Classical methods to compare networks with, one file each.

Each has `build(*, ...)`, which returns a function from a uint8 (H, W, 3) picture to another.
"""
