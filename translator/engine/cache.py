"""The persistent cache: linked code on disk, shared by processes.

A folder per guest, host CPU and version of the translator holds files that are written aside and renamed into place,
and never changed afterwards. Each begins with a digest of the rest; a file that does not match is deleted and what it
held is compiled again. Nothing in it depends on an address.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import metaphrase.backends
import metaphrase.ir
import metaphrase.translator
from metaphrase.backends.llvm.codecache import PAGE
from metaphrase.backends.llvm.compile import features
from metaphrase.backends.llvm.objects import Image
from metaphrase.translator.mechanisms import left_out

LOGGER = logging.getLogger("metaphrase.cache")
_MAGIC = b"metaphr1"
_DIGEST = 16
_NEW = ".new-"
_ABANDONED_SECONDS = 3600


def default_folder() -> Path | None:
    """Where the cache lies: $METAPHRASE_CACHE_DIR or the user's cache folder; nowhere if $METAPHRASE_CACHE is "off"."""
    if os.environ.get("METAPHRASE_CACHE") == "off":
        return None
    named = os.environ.get("METAPHRASE_CACHE_DIR", "")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "metaphrase"


def version_stamp() -> str:
    """A digest of the translator's source files' names, sizes and times: any edit starts a new cache."""
    digest = hashlib.blake2b(digest_size=8)
    for package in (metaphrase.ir, metaphrase.backends, metaphrase.translator):
        root = package.__path__[0]
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            for name in sorted(names):
                if name.endswith((".py", ".ll")):
                    status = os.stat(os.path.join(folder, name))
                    digest.update(f"{folder}/{name}:{status.st_size}:{status.st_mtime_ns};".encode())
    return digest.hexdigest()


class Cache:
    """The cache of one guest. With no folder, or one that cannot be used, it holds nothing and says so once.

    Beneath it lies what the installation brings along, see `precompiled`: it is read only.
    """

    def __init__(self, guest: str, folder: Path | None, *, installed: Path | None = None) -> None:
        self.folder: Path | None = None
        self.installed: Path | None = None
        self.hits = self.misses = self.stored = 0
        if folder is None:
            return
        made_by = f"{features()};{version_stamp()};{sorted(left_out())}"
        key = hashlib.blake2b(made_by.encode(), digest_size=8).hexdigest()
        path = folder / f"{guest}-{key}"
        if installed is not None and (installed / path.name).is_dir():
            self.installed = installed / path.name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            LOGGER.warning("no persistent cache: cannot make %s: %s", path, error.strerror)
            return
        self.folder = path

    def names(self, prefix: str) -> list[str]:
        """Names of the entries that begin with `prefix`."""
        found: set[str] = set()
        if self.installed is not None:
            with contextlib.suppress(OSError):
                found.update(name[:-4] for name in os.listdir(self.installed) if name.startswith(prefix))
        if self.folder is None:
            return sorted(found)
        with contextlib.suppress(OSError):
            for name in os.listdir(self.folder):
                if name.startswith(prefix) and name.endswith(".img"):
                    found.add(name[:-4])
                elif name.startswith(_NEW):
                    self._clear_away(self.folder / name)
        return sorted(found)

    def _clear_away(self, path: Path) -> None:
        """Delete a file whose writer was killed."""
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()

    def load(self, name: str) -> tuple[dict[str, Any], int, bytes] | None:
        """An entry's header, the offset of its code in the file, and the code; None if absent or damaged."""
        if self.folder is None and self.installed is None:
            return None
        path = self.path(name)
        try:
            data = path.read_bytes()
        except OSError:
            self.misses += 1
            return None
        body = data[len(_MAGIC) + _DIGEST :]
        good = data.startswith(_MAGIC) and data[len(_MAGIC) : len(_MAGIC) + _DIGEST] == _digest(body)
        if not good:
            LOGGER.warning("cache entry %s is damaged: compiling again", path)
            with contextlib.suppress(OSError):
                path.unlink()
            self.misses += 1
            return None
        size = int.from_bytes(body[:4], "little")
        header = json.loads(body[4 : 4 + size])
        offset = _aligned(len(_MAGIC) + _DIGEST + 4 + size)
        self.hits += 1
        return header, offset, data[offset:]

    def path(self, name: str) -> Path:
        """The file of an entry; only where there is a folder."""
        file = f"{name}.img"
        if self.installed is not None and (self.folder is None or not (self.folder / file).exists()):
            return self.installed / file
        assert self.folder is not None
        return self.folder / file

    def is_own(self, name: str) -> bool:
        """Whether an entry lies in the cache itself."""
        return self.folder is not None and (self.folder / f"{name}.img").exists()

    def store(self, name: str, header: dict[str, Any], code: bytes) -> None:
        """Write an entry; a full or read-only disk costs the entry, not the run."""
        if self.folder is None:
            return
        text = json.dumps(header, separators=(",", ":")).encode()
        body = len(text).to_bytes(4, "little") + text
        body += bytes(_aligned(len(_MAGIC) + _DIGEST + len(body)) - len(_MAGIC) - _DIGEST - len(body)) + code
        temporary = None
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=_NEW, dir=self.folder)
            with open(descriptor, "wb") as file:
                file.write(_MAGIC + _digest(body) + body)
            os.rename(temporary, self.folder / f"{name}.img")
            self.stored += 1
        except OSError as error:
            LOGGER.warning("persistent cache: cannot write %s: %s; nothing more is stored", name, error.strerror)
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            self.folder = None

    def remove(self, name: str) -> None:
        """Delete an entry, if it is there and may be deleted."""
        if self.folder is not None:
            with contextlib.suppress(OSError):
                (self.folder / f"{name}.img").unlink()

    def load_image(self, name: str) -> Image | None:
        """An entry that is one image."""
        found = self.load(name)
        if found is None:
            return None
        header, _, code = found
        return Image(code, header["symbols"], header["alignment"])

    def store_image(self, name: str, image: Image) -> None:
        self.store(name, {"symbols": image.symbols, "alignment": image.alignment}, image.code)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def _aligned(size: int) -> int:
    return -(-size // PAGE) * PAGE
