"""What can go wrong between a guest program and this machine."""

from __future__ import annotations

from metaphrase.ir.errors import MetaphraseError

#: A shell's exit statuses for a program that could not be started.
STATUS_NOT_EXECUTABLE = 126
STATUS_NOT_FOUND = 127


class LoadError(MetaphraseError):
    """A program cannot be started; the text says which file, what is wrong with it and what would help.

    `errno` is what `execve` answers in the same case, `exit_status` what a shell exits with.
    """

    def __init__(self, message: str, errno: int, exit_status: int = STATUS_NOT_EXECUTABLE) -> None:
        super().__init__(message)
        self.errno = errno
        self.exit_status = exit_status


class GuestFault(MetaphraseError):
    """A system call met a guest pointer that it may not follow; the guest sees EFAULT.

    Never seen by users of the library: the system call dispatcher turns it into the guest's error number.
    """

    def __init__(self, address: int) -> None:
        super().__init__(f"guest address {address:#x} is not mapped for this access")
        self.address = address


class WindowError(MetaphraseError):
    """The host refused the reservation that the guest's memory lives in."""
