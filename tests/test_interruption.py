"""Real signals to real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tidenhance import interruption

# Sleeping in C without the lock stands for a step of TensorFlow: no signal handler runs meanwhile.
WORKING = """
import ctypes, sys
from tidenhance import interruption
sleep = ctypes.CDLL(None).sleep
with interruption.requests("stopping soon") as request:
    print("working", flush=True)
    left = 10
    while left and (left := sleep(left)):
        pass
    print(request.signal, flush=True)
"""


def working() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WORKING], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    return process


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_the_first_signal_is_a_request(number: signal.Signals) -> None:
    with interruption.requests("stopping") as request:
        assert request.signal is None
        os.kill(os.getpid(), number)
        deadline = time.monotonic() + 5
        while request.signal is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert request.signal == number


def test_the_handlers_from_before_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in interruption.SIGNALS]
    with interruption.requests("stopping"):
        pass
    assert [signal.getsignal(number) for number in interruption.SIGNALS] == before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_the_second_ends_the_process_at_once(number: signal.Signals) -> None:
    start = time.monotonic()
    with working() as process:
        # As `timeout` does, to the process and to its group.
        process.send_signal(number)
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.readline() == f"{number.name}: stopping soon\n"
        time.sleep(2 * interruption.SAME_SIGNAL_SECONDS)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait() == 128 + number
    assert time.monotonic() - start < 8


def test_the_second_ends_it_also_where_nobody_reads_what_the_first_is_told() -> None:
    with working() as process:
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        time.sleep(2 * interruption.SAME_SIGNAL_SECONDS)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 128 + signal.SIGINT


def test_another_signal_ends_it_without_a_wait() -> None:
    with working() as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "SIGINT: stopping soon\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM


def test_what_a_shell_told_to_ignore_is_ignored() -> None:
    process = subprocess.Popen(
        [
            "sh",
            "-c",
            'trap \'\' INT; exec "$0" -c "$1"',
            sys.executable,
            WORKING.replace("10", "1"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == "None\n"


def test_a_thread_other_than_the_main_one_does_without() -> None:
    def work() -> None:
        with interruption.requests("stopping") as request:
            found.append(request.signal)

    found: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]
