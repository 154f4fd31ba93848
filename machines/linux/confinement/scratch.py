"""Where a confined guest's changes are kept: a folder of the host's with three inside.

`upper` has what the guest has changed or made, under the same names. `gone` has a mark for each name of the host's that
is not to be seen any more, itself and all beneath it: a file whose name is a digest of the path, so that marks can be
made and found without a lock. `processes` is for `processes.Family`, `work` for files that are not complete yet.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from contextlib import suppress

from metaphrase.machines.linux import host
from metaphrase.machines.linux.confinement.rules import Names
from metaphrase.machines.linux.policy import PolicyError

_FOLDERS = ("upper", "gone", "work", "processes")
_LOCK = "lock"
_PREFIX = "metaphrase-scratch-"
_YOUNG = 60.0
"""Seconds in which a folder may have no lock yet."""


class Scratch:
    """A temporary folder, which `remove` removes, or one that is kept."""

    def __init__(self, keep: str | None) -> None:
        self.is_kept = keep is not None
        self._lock = -1
        try:
            if keep is None:
                _remove_abandoned(tempfile.gettempdir())
                self.folder = os.path.realpath(tempfile.mkdtemp(prefix=_PREFIX))
                self._lock = _locked(f"{self.folder}/{_LOCK}")
            else:
                os.makedirs(keep, mode=0o700, exist_ok=True)
                self.folder = os.path.realpath(keep)
                foreign = set(os.listdir(keep)) - {*_FOLDERS, _LOCK}
                if foreign:
                    raise PolicyError(f"keep = {keep!r}: the folder holds {sorted(foreign)[0]!r}; name a new one")
                self._lock = _locked(f"{keep}/{_LOCK}")
            for name in _FOLDERS:
                with suppress(FileExistsError):
                    os.mkdir(f"{self.folder}/{name}", 0o700)
                os.chmod(f"{self.folder}/{name}", 0o755 if name == "upper" else 0o700)  # whatever the umask is
        except OSError as error:
            raise PolicyError(f"no folder for the guest's changes: {error.filename}: {error.strerror}") from error
        self.upper = os.fsencode(self.folder) + b"/upper"
        self.upper_names: Names = tuple(filter(None, self.upper.split(b"/")))
        self.work = os.fsencode(self.folder) + b"/work"
        self.processes = os.fsencode(self.folder) + b"/processes"
        self._gone = os.fsencode(self.folder) + b"/gone"

    def make_folders(self, names: Names, mode: int) -> None:
        """Make a folder in the upper one, and those that it lies in."""
        path = self.upper
        for position, name in enumerate(names):
            path += b"/" + name
            with suppress(FileExistsError):
                os.mkdir(path, 0o700)
                os.chmod(path, mode if position == len(names) - 1 else 0o755)

    def _mark(self, names: Names) -> bytes:
        return self._gone + b"/" + hashlib.blake2b(b"/".join(names), digest_size=16).hexdigest().encode()

    def is_gone(self, names: Names) -> bool:
        """Whether the host's file or folder of this name, and what lies beneath, is not to be seen any more."""
        return os.path.lexists(self._mark(names))

    def set_gone(self, names: Names) -> None:
        """From now on, it is not."""
        os.close(os.open(self._mark(names), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def temporary(self) -> tuple[int, bytes]:
        """A new file in `work`: a descriptor to write to it, and its path."""
        descriptor, path = tempfile.mkstemp(dir=self.work)
        return descriptor, path

    def remove(self) -> None:
        """Remove a temporary folder with all that is in it."""
        if not self.is_kept:
            remove_folder(os.fsencode(self.folder))
        if self._lock >= 0:
            host.close_private(self._lock)
            self._lock = -1


def _locked(path: str) -> int:
    """A file that one process holds at a time, with its forks: a descriptor."""
    descriptor = host.private_descriptor(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        host.close_private(descriptor)
        folder = os.path.dirname(path)
        raise PolicyError(f"keep = {folder!r}: another run has the folder; wait, or name another") from None
    return descriptor


def _remove_abandoned(parent: str) -> None:
    """Remove the temporary folders of runs that were killed, whose locks nobody holds any more."""
    for entry in os.scandir(parent):
        if not entry.name.startswith(_PREFIX):
            continue
        with suppress(OSError):  # somebody else's, or gone by now
            about = entry.stat(follow_symlinks=False)
            is_ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()
            if not is_ours or time.time() - about.st_mtime < _YOUNG:
                continue
            lock = os.open(f"{entry.path}/{_LOCK}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(os.fsencode(entry.path))
            finally:
                os.close(lock)


def remove_folder(path: bytes) -> None:
    """Remove a folder whatever the modes inside are, however deep it is, and without following links."""
    top = _open_folder(path, None)
    moved = 0
    try:
        while names := os.listdir(top):
            for name in names:
                if not _is_folder(name, top):
                    os.unlink(name, dir_fd=top)
                    continue
                folder = _open_folder(os.fsencode(name), top)
                try:
                    for inner in os.listdir(folder):
                        if _is_folder(inner, folder):
                            # Its turn comes later: a way down could be longer than there are descriptors.
                            os.close(_open_folder(os.fsencode(inner), folder))
                            os.rename(inner, f"moved-{moved}", src_dir_fd=folder, dst_dir_fd=top)
                            moved += 1
                        else:
                            os.unlink(inner, dir_fd=folder)
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def _is_folder(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _open_folder(name: bytes, parent: int | None) -> int:
    """A folder, whose mode is made to allow everything first."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(handle)
