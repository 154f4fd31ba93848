"""Errors that a confined guest gets."""

from __future__ import annotations

import os


def refused(errno: int) -> OSError:
    """An error as the kernel would give it."""
    return OSError(errno, os.strerror(errno))


class PolicyRefusal(OSError):
    """The guest gets an error number because of its policy; `subject` and `reason` are told."""

    def __init__(self, errno: int, subject: str | bytes, reason: str) -> None:
        super().__init__(errno, os.strerror(errno))
        self.subject, self.reason = os.fsdecode(subject), reason
