"""What many tests share: a small tree in TID2013's layout, made of a real photograph."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

os.environ["KERAS_BACKEND"] = "tensorflow"
# A shell's background jobs, and what they start, ignore Ctrl-C; the tests of it must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

SIDE = 48


@pytest.fixture(scope="session")
def photograph() -> NDArray[np.uint8]:
    """A real photograph, uint8 (512, 512, 3)."""
    from tidenhance.data import sample

    return sample.photographs()["astronaut"]


@pytest.fixture(scope="session")
def small_tree(tmp_path_factory: pytest.TempPathFactory, photograph: NDArray[np.uint8]) -> Path:
    """Four references of 48 x 48 and their level-5 pictures of types 1, 5 and 10."""
    from tidenhance.data import synthesis

    root = tmp_path_factory.mktemp("data") / "tree"
    corners = [(100, 150), (100, 200), (300, 100), (350, 300)]
    references = [photograph[top : top + SIDE, left : left + SIDE] for top, left in corners]
    for _ in synthesis.synthesise(
        references, root, types=[1, 5, 10], levels=[5], seed=1, workers=1
    ):
        pass
    return root
