"""Processes to make pictures in, which end with their parent however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


def available_cores() -> int:
    """Return how many cores this process may use: schedulers allow a job fewer than there are."""
    return len(os.sched_getaffinity(0))


def executor(workers: int, *, ignore_terminate: bool = False) -> ProcessPoolExecutor:
    """Return an executor, whose processes start with the first work it is given.

    Args:
        workers: processes.
        ignore_terminate: SIGTERM, which schedulers send to all processes of a job, leaves them be,
            so that the parent can finish what it does; `end` ends them.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        workers, context, initializer=_end_with_parent, initargs=(ignore_terminate,)
    )


def end(executor: ProcessPoolExecutor) -> None:
    """End an executor's processes at once, in the middle of what they do, and return when gone."""
    for process in list((executor._processes or {}).values()):
        process.kill()
    # The rest of a result that is cut off would be waited for, as long as anybody could write it.
    if executor._result_queue is not None:
        executor._result_queue._writer.close()  # type: ignore[attr-defined]
    executor.shutdown(cancel_futures=True)


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Start workers inside that Ctrl-C does not stop; it stops this process, and so them."""
    # They inherit the mask.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent(ignore_terminate: bool) -> None:
    """Let this worker end when its parent is killed; it would wait for work for ever."""
    if ignore_terminate:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
