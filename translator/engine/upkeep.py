"""Looking after the persistent cache: its size is bounded, and what killed or outdated translators left goes.

Other processes may be reading, mapping or writing the same files meanwhile. Nothing is locked: whoever has a file open
or mapped keeps it, and whoever finds none compiles again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from metaphrase.ir.errors import MetaphraseError

LOGGER = logging.getLogger("metaphrase.cache")
NEW = ".new-"
"""What names of files begin with that are being written."""
ENTRY = ".img"
_MARKER = "looked-after"
"""The file in the cache's folder whose time says when this was last done."""
_OURS = re.compile(r"[\w.]+-(?:[0-9a-f]{8}-(?P<place>[0-9a-f]{8})-)?[0-9a-f]{16}")
"""Names of folders of entries. Nothing else is touched: people may name any folder as their cache."""
_DEFAULT_SIZE = 2 << 30
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_BETWEEN_SECONDS = 3600
_OFTEN = 64 << 20
ABANDONED_SECONDS = 3600
"""A file that has been being written for so long has lost its writer."""
_UNUSED_SECONDS = 14 * 86400


def size_limit() -> int:
    """Bytes that the cache may take: $METAPHRASE_CACHE_SIZE, or 2 GiB. Raises MetaphraseError for a bad value."""
    text = os.environ.get("METAPHRASE_CACHE_SIZE", "")
    if not text:
        return _DEFAULT_SIZE
    match = _SIZE.fullmatch(text)
    if match is None:
        raise MetaphraseError(f"METAPHRASE_CACHE_SIZE={text}: give a number of bytes, or one like 500M or 2G")
    return int(float(match[1]) * _UNITS[match[2].lower()])


class Upkeep:
    """Says when a process that stores entries in a cache should look after it, and does so.

    root   the cache's folder, which holds a folder of entries per guest, host CPU, place and version of the translator
    own    the name of the folder that this process uses
    limit  bytes that all entries together may take on disk; a process may exceed it by a quarter before it looks
    """

    def __init__(self, root: Path, own: str, limit: int) -> None:
        self.root, self.own, self.limit = root, own, limit
        self._stored = 0
        self._asked = False

    def stored(self, size: int) -> None:
        """Note that so many bytes were stored. Now and then, this looks after the cache."""
        self._stored += size
        if self._stored >= min(_OFTEN, self.limit // 4):
            self._stored = 0
            self.run()
        elif not self._asked:
            self._asked = True
            if self._is_due():
                self.run()

    def _is_due(self) -> bool:
        try:
            age = time.time() - os.stat(self.root / _MARKER).st_mtime
        except OSError:
            return True
        return not 0 <= age < _BETWEEN_SECONDS

    def run(self) -> None:
        """Delete what is outdated, was abandoned, or has not been used for long; then the least recently used."""
        with contextlib.suppress(OSError):  # first: others need not do the same meanwhile
            (self.root / _MARKER).touch()
        now = time.time()
        total = 0
        for folder in list(self._folders()):
            outdated = self._is_outdated(folder.name)
            for path, used, size in _files(folder):
                limit = ABANDONED_SECONDS if path.name.startswith(NEW) else _UNUSED_SECONDS
                if outdated or now - used > limit:
                    _remove(path)
                else:
                    total += size
            _remove_empty(folder)
        if total > self.limit:
            self._shrink(total)

    def _shrink(self, total: int) -> None:
        """Delete entries, the least recently used first, until there is some room again."""
        found = [
            (used, os.fspath(path), size)
            for folder in self._folders() for path, used, size in _files(folder) if path.name.endswith(ENTRY)
        ]  # fmt: skip
        found.sort()
        for _, path, size in found:
            if total <= self.limit * 3 // 4:
                break
            _remove(Path(path))
            total -= size
        LOGGER.debug("the persistent cache was cut down to %d bytes", total)

    def _folders(self) -> Iterator[Path]:
        """The folders of entries."""
        with contextlib.suppress(OSError), os.scandir(self.root) as found:
            for one in found:
                if _OURS.fullmatch(one.name) and one.is_dir(follow_symlinks=False):
                    yield Path(one.path)

    def _is_outdated(self, name: str) -> bool:
        """Whether a folder belongs to the translator in the same place, as it was before it was changed."""
        theirs, ours = _OURS.fullmatch(name), _OURS.fullmatch(self.own)
        if theirs is None or ours is None or theirs["place"] is None or theirs["place"] != ours["place"]:
            return False
        return name.rpartition("-")[2] != self.own.rpartition("-")[2]


def _files(folder: Path) -> Iterator[tuple[Path, float, int]]:
    """The files of a folder of entries, when they were last used, and the bytes they take on disk."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for one in found:
            with contextlib.suppress(OSError):
                if one.is_dir(follow_symlinks=False):
                    yield from _files(Path(one.path))
                elif one.name.endswith(ENTRY) or one.name.startswith(NEW):
                    status = one.stat(follow_symlinks=False)
                    yield Path(one.path), status.st_mtime, status.st_blocks * 512


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _remove_empty(folder: Path) -> None:
    """Delete a folder that holds nothing any more, and such folders in it."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            _remove_empty(folder / name)
        folder.rmdir()
