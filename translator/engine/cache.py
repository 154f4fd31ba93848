"""The persistent cache: linked code on disk, shared by processes.

A folder per guest, host CPU, place and version of the translator holds files that are written aside and renamed into
place, and never changed afterwards. Each begins with a digest of the rest; a file that does not match is deleted and
what it held is compiled again. Nothing in it depends on an address. A file's time says when it was last used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import metaphrase.backends
import metaphrase.ir
import metaphrase.translator
from metaphrase.backends.llvm.codecache import PAGE
from metaphrase.backends.llvm.compile import features
from metaphrase.backends.llvm.objects import Image
from metaphrase.translator.engine.upkeep import ENTRY, NEW, Upkeep, size_limit
from metaphrase.translator.mechanisms import left_out

LOGGER = logging.getLogger("metaphrase.cache")
_MAGIC = b"metaphr1"
_DIGEST = 16
_USED_SECONDS = 3600
"""How exactly a file's time says when it was used: noting that costs a write."""


def default_folder() -> Path | None:
    """Where the cache lies: $METAPHRASE_CACHE_DIR or the user's cache folder; nowhere if $METAPHRASE_CACHE is "off"."""
    if os.environ.get("METAPHRASE_CACHE") == "off":
        return None
    named = os.environ.get("METAPHRASE_CACHE_DIR", "")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "metaphrase"


_PACKAGES = (metaphrase.ir, metaphrase.backends, metaphrase.translator)


def version_stamp() -> str:
    """A digest of the translator's source files' names, sizes and times: any edit starts a new cache."""
    digest = hashlib.blake2b(digest_size=8)
    for package in _PACKAGES:
        root = package.__path__[0]
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            for name in sorted(names):
                if name.endswith((".py", ".ll")):
                    status = os.stat(os.path.join(folder, name))
                    digest.update(f"{folder}/{name}:{status.st_size}:{status.st_mtime_ns};".encode())
    return digest.hexdigest()


def folder_name(guest: str) -> str:
    """The folder of a guest's entries, in which a version of the translator can tell its own and earlier ones."""
    place = ";".join(package.__path__[0] for package in _PACKAGES)
    made_by = f"{features()};{sorted(left_out())}"
    host, here = (hashlib.blake2b(text.encode(), digest_size=4).hexdigest() for text in (made_by, place))
    return f"{guest}-{host}-{here}-{version_stamp()}"


class Cache:
    """The cache of one guest. With no folder, or one that cannot be used, it holds nothing and says so once.

    Names of entries may lie in a folder ("handlers/..."), so that a kind that is listed often is listed quickly.
    Beneath the cache lies what the installation brings along, see `precompiled`: it is read only.
    """

    def __init__(self, guest: str, folder: Path | None, *, installed: Path | None = None) -> None:
        self.folder: Path | None = None
        self.installed: Path | None = None
        self.hits = self.misses = self.stored = 0
        self._reads = True
        self._stores = False
        limit = size_limit()
        if folder is None:
            return
        name = folder_name(guest)
        path = folder / name
        if installed is not None and (installed / name).is_dir():
            self.installed = installed / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            LOGGER.warning("no persistent cache: cannot make %s: %s", path, error.strerror)
            return
        self.folder = path
        self._stores = True
        self._upkeep = Upkeep(folder, name, limit)

    def check_rights(self) -> None:
        """Store nothing more where that is not allowed now."""
        self._stores = self._stores and os.access(self.folder or "", os.W_OK, effective_ids=True)

    def leave(self) -> None:
        """Hold nothing from now on."""
        self._stores = self._reads = False

    def names(self, kind: str) -> list[str]:
        """Names of the entries in the folder of a kind."""
        found: set[str] = set()
        for folder in filter(None, (self.folder, self.installed) if self._reads else ()):
            with contextlib.suppress(OSError):
                found.update(os.listdir(folder / kind))
        return sorted(f"{kind}/{name[: -len(ENTRY)]}" for name in found if name.endswith(ENTRY))

    def load(self, name: str) -> tuple[dict[str, Any], int, bytes] | None:
        """An entry's header, the offset of its code in the file, and the code; None if absent or damaged."""
        if not self._reads or (self.folder is None and self.installed is None):
            return None
        path = self.path(name)
        try:
            with open(path, "rb", buffering=0) as file:
                data = file.readall()
                if time.time() - os.fstat(file.fileno()).st_mtime > _USED_SECONDS:
                    with contextlib.suppress(OSError):
                        os.utime(file.fileno())
        except OSError:
            self.misses += 1
            return None
        body = data[len(_MAGIC) + _DIGEST :]
        good = data.startswith(_MAGIC) and data[len(_MAGIC) : len(_MAGIC) + _DIGEST] == _digest(body)
        if not good:
            LOGGER.warning("cache entry %s is damaged: compiling again", path)
            self.remove(name)
            self.misses += 1
            return None
        size = int.from_bytes(body[:4], "little")
        header = json.loads(body[4 : 4 + size])
        offset = _aligned(len(_MAGIC) + _DIGEST + 4 + size)
        self.hits += 1
        return header, offset, data[offset:]

    def path(self, name: str) -> Path:
        """The file of an entry; only where there is a folder."""
        if self.installed is not None and not self.is_own(name):
            return self.installed / f"{name}{ENTRY}"
        return self._own(name)

    def is_own(self, name: str) -> bool:
        """Whether an entry lies in the cache itself."""
        return self.folder is not None and self._own(name).exists()

    def _own(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}{ENTRY}"

    def store(self, name: str, header: dict[str, Any], code: bytes) -> None:
        """Write an entry; a full or read-only disk costs the entry, not the run."""
        if not self._stores:
            return
        text = json.dumps(header, separators=(",", ":")).encode()
        body = len(text).to_bytes(4, "little") + text
        body += bytes(_aligned(len(_MAGIC) + _DIGEST + len(body)) - len(_MAGIC) - _DIGEST - len(body)) + code
        path = self._own(name)
        try:
            try:
                self._write(path, body)
            except FileNotFoundError:  # the first of its kind, or somebody has cleaned up
                path.parent.mkdir(parents=True, exist_ok=True)
                self._write(path, body)
        except OSError as error:
            if self._stores:  # the other thread may have met it too
                self._stores = False
                LOGGER.warning("persistent cache: cannot write %s: %s; nothing more is stored", name, error.strerror)
            return
        self.stored += 1
        self._upkeep.stored(_aligned(len(body)))

    def _write(self, path: Path, body: bytes) -> None:
        temporary = path.parent / f"{NEW}{os.urandom(8).hex()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                _write_all(file.fileno(), _MAGIC + _digest(body) + body)
            os.rename(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

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


def _write_all(descriptor: int, data: bytes) -> None:
    """A disk that fills up in the middle takes a part of it, and refuses the rest."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def _aligned(size: int) -> int:
    return -(-size // PAGE) * PAGE
