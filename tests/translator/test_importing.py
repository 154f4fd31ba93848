"""Imports that wait until they are wanted, in a process that forks."""

from __future__ import annotations

import os
import threading
import time

from metaphrase.translator.importing import IMPORTING


def test_a_fork_waits_until_nothing_is_being_imported() -> None:
    """The child would wait for ever for a module that a thread was importing, which it does not have."""
    begun, ended = threading.Event(), threading.Event()

    def take_a_while() -> None:
        with IMPORTING:
            begun.set()
            time.sleep(0.2)
            ended.set()

    thread = threading.Thread(target=take_a_while)
    thread.start()
    begun.wait()
    child = os.fork()
    if child == 0:
        with IMPORTING:
            os._exit(0 if ended.is_set() else 1)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
