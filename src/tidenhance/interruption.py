"""Make of the first Ctrl-C or SIGTERM a request to stop, and of the second an end at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import rich

SIGNALS = (signal.SIGINT, signal.SIGTERM)

# `timeout`, `srun` and `docker stop` may signal both the process and its group.
SAME_SIGNAL_SECONDS = 0.5


class Request:
    """Whether work is to stop.

    Attributes:
        signal: the signal that asked for it, or None as long as none has.
    """

    signal: signal.Signals | None = None


@contextmanager
def requests(advice: str) -> Iterator[Request]:
    """Yield what tells whether Ctrl-C or SIGTERM has come since; a second one ends the process.

    The same signal once more at the same moment is one signal, sent twice.

    Python runs its signal handlers between two of its own instructions only, and a step of
    TensorFlow can take minutes; so a thread of its own reads the signals.

    Args:
        advice: what the user is told at the first signal.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request  # Python allows signal handlers in the main thread alone.
        return

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    watcher = threading.Thread(target=_watch, args=(reader, request, advice), daemon=True)
    # A shell's background jobs are told to ignore Ctrl-C, and go on doing so.
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {number: signal.signal(number, lambda *_: None) for number in heeded}
    earlier = signal.set_wakeup_fd(writer)
    watcher.start()
    try:
        yield request
    finally:
        signal.set_wakeup_fd(earlier)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(writer)
        watcher.join()
        os.close(reader)


def _watch(reader: int, request: Request, advice: str) -> None:
    first = 0.0
    while received := os.read(reader, 1):
        if received[0] not in SIGNALS:
            continue
        number = signal.Signals(received[0])
        if number == request.signal and time.monotonic() - first < SAME_SIGNAL_SECONDS:
            continue
        if request.signal is not None:
            rich.get_console().show_cursor()
            os._exit(128 + number)
        request.signal, first = number, time.monotonic()
        # What it would be read with may have been ended by the same Ctrl-C, which rich answers with
        # an exit; the second signal is still to be waited for.
        with suppress(OSError, SystemExit):
            rich.get_console().print(f"{number.name}: {advice}", markup=False, highlight=False)
