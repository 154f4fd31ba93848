"""Tier-0 handlers: a form's semantics, bound to record fields, compiled the first time the form is met."""

from __future__ import annotations

import hashlib
import json
import logging
import struct
import time
from collections.abc import Iterable
from typing import Any

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.codecache import CodeCache
from metaphrase.translator.engine.cache import Cache
from metaphrase.translator.engine.host_memory import HostBlock
from metaphrase.translator.guest import Guest
from metaphrase.translator.importing import IMPORTING
from metaphrase.translator.mechanisms import uses

LOGGER = logging.getLogger("metaphrase.cache")
_FACT = struct.Struct("<QQBBBBB")
_FOLDER = "handlers"
_BATCH = 48
_LOOK_SECONDS = 0.1
_MANY_UNSAVED = 256
"""Forms that are compiled are put into the cache this many at a time, and when the process ends."""
_MANY_ENTRIES = 24
"""More entries in the cache than this are made into one: each costs every start a file."""


class Handlers:
    """The compiled handlers of one guest in one process, and the table of forms that native code reads.

    rows    how many the guest's table has
    """

    def __init__(self, guest: Guest, rows: int, code: CodeCache, cache: Cache) -> None:
        self.guest, self.code, self.cache = guest, code, cache
        self.table = HostBlock((rows << guest.static_bits) * context.FORM_SIZE)
        self.compiled = 0
        self.loaded = 0
        self.seconds = 0.0
        self._seen: set[str] = set()
        self._look_again = 0.0
        self._unsaved: list[tuple[dict[str, Any], bytes]] = []
        self._load_new()
        if len(self._seen) > _MANY_ENTRIES:
            self.pack()

    def known(self, form: int) -> bool:
        """Whether a form (row << static_bits | statics) has its handler."""
        return self.table.u64(form * context.FORM_SIZE) != 0

    def ensure(self, forms: Iterable[int]) -> None:
        """Compile what is missing of `forms`."""
        missing = sorted({form for form in forms if not self.known(form)})
        if missing and self._load_new():
            missing = [form for form in missing if not self.known(form)]
        for begin in range(0, len(missing), _BATCH):
            self._compile(missing[begin : begin + _BATCH])

    def _compile(self, forms: list[int]) -> None:
        with IMPORTING:  # most runs have all forms that they need
            from metaphrase.translator.engine.handler_code import compile_forms

        entries, image = compile_forms(self.guest, forms)
        self._install(entries, self.code.add(image))
        self.compiled += len(forms)
        self._unsaved.append((entries, image.code))
        if sum(len(forms) for forms, _ in self._unsaved) >= _MANY_UNSAVED:
            self.save()

    def save(self) -> None:
        """Put into the cache what was compiled since it was last done."""
        if self._unsaved:
            self._store(*_joined(self._unsaved))
            self._unsaved.clear()

    def after_fork(self) -> None:
        """In the child of a fork: what is not in the cache yet will be put there by the parent."""
        self._unsaved.clear()

    def _install(self, entries: dict[str, Any], base: int) -> None:
        for form, offset, lazy, *masks in entries.values():
            lazy_address = base + lazy if lazy >= 0 and uses("lazy-handlers") else 0
            at = form * context.FORM_SIZE
            _FACT.pack_into(self.table.view, at, base + offset, lazy_address, *masks)

    def _load_new(self) -> bool:
        """Load what another process has put into the cache since, now and then; whether there was anything."""
        now = time.monotonic()
        if now < self._look_again:
            return False
        self._look_again = now + _LOOK_SECONDS
        new = [name for name in self.cache.names(_FOLDER) if name not in self._seen]
        for name in new:
            self._seen.add(name)
            self._load(name)
        return bool(new)

    def pack(self) -> None:
        """Put all entries of the cache into one. Processes that have the old ones mapped keep them."""
        own = sorted(name for name in self._seen if self.cache.is_own(name))
        if len(own) < 2:
            return
        found = [self.cache.load(name) for name in own]
        self._store(*_joined([(one[0]["forms"], one[2]) for one in found if one is not None]), replaced=own)

    def _store(self, entries: dict[str, Any], code: bytes, replaced: Iterable[str] = ()) -> None:
        # Named by its content: a file that is replaced while another process is mapping it stays the same.
        label = hashlib.blake2b(json.dumps(entries).encode() + code, digest_size=12).hexdigest()
        name = f"{_FOLDER}/{label}"
        self.cache.store(name, {"forms": entries}, code)
        for old in replaced:
            if old != name:
                self.cache.remove(old)
        self._seen = {*self._seen, name}

    def _load(self, name: str) -> None:
        found = self.cache.load(name)
        if found is None:
            return
        header, offset, code = found
        if all(self.known(form) for form, *_ in header["forms"].values()):
            return  # other processes have compiled the same: that would only take room
        try:
            base = self.code.map_file(self.cache.path(name), offset, len(code))
        except OSError as error:  # somebody has deleted it since
            LOGGER.debug("cache entry %s is gone: %s", name, error)
            return
        self._install(header["forms"], base)
        self.loaded += len(header["forms"])


def _joined(parts: Iterable[tuple[dict[str, Any], bytes]]) -> tuple[dict[str, Any], bytes]:
    """Several sets of forms with their code as one."""
    forms: dict[str, Any] = {}
    code = b""
    for entries, one in parts:
        for label, (form, offset, lazy, *masks) in entries.items():
            forms[label] = [form, len(code) + offset, len(code) + lazy if lazy >= 0 else -1, *masks]
        code += one + bytes(-len(one) % 64)
    return forms, code
