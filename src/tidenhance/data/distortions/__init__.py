"""TID2013's distortion types, one file each.

Each has `NUMBER` and `NAME` as in TID2013, `PSNRC` (the archive's mean PSNRc of i01 to i15 at each
level, in dB), and `distort(image, level, random)`: a uint8 (H, W, 3) picture, a level from 1 to 5
and a generator of random numbers give a new picture of the same shape.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from tidenhance import components


@cache
def by_number() -> dict[int, ModuleType]:
    """Return the distortion types by TID2013's number, in order."""
    modules = [
        components.module("data.distortions", n) for n in components.names("data.distortions")
    ]
    return {module.NUMBER: module for module in sorted(modules, key=lambda module: module.NUMBER)}
