"""Ctrl-C while guest code runs.

Python runs its signal handlers between bytecodes, and while native code runs there are none. So a thread waits on
Python's wake-up descriptor and interrupts the CPU; the handler runs when the CPU has come back.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` when a signal arrives. Does nothing outside the main thread, where no handler runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def watch() -> None:
        while os.read(read_end, 64):
            interrupt()

    thread = threading.Thread(target=watch, name="metaphrase interrupts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(write_end)
        thread.join()
        os.close(read_end)
