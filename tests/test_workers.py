"""How many processes there are for."""

from __future__ import annotations

import os

import pytest

from tidenhance import workers


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no such call")
def test_cores_are_those_that_the_process_may_use():
    allowed = os.sched_getaffinity(0)
    assert workers.available_cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert workers.available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
