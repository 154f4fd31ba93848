"""Handlers that every first run would have to compile, made when Metaphrase is installed.

They lie beside this file, in the format of the persistent cache and under the same key: for another host, or once the
translator's files were edited, they count as not there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.engine.cache import Cache
from metaphrase.translator.engine.handlers import Handlers
from metaphrase.translator.engine.native import Runtime, code_cache
from metaphrase.translator.engine.native_tables import NativeTables
from metaphrase.translator.guest import Guest
from metaphrase.translator.mechanisms import uses

FOLDER: Final = Path(__file__).parent / "precompiled"


def folder() -> Path | None:
    """Where to look for them; None if they are not wanted."""
    return FOLDER if uses("precompiled") else None


def common_forms(guest: Guest) -> list[int]:
    """The forms (row << static_bits | statics) that the guest names as common.

    Raises MetaphraseError if one of them does not exist (any more).
    """
    if guest.common_forms is None:
        return []
    rows = {guest.form_name(row.row, 0).rpartition("|")[0]: row.row for row in guest.rows}
    forms = []
    for name in guest.common_forms.read_text().split("\n"):
        label, _, statics = name.rpartition("|")
        if label in rows:
            forms.append(rows[label] << guest.static_bits | int(statics, 16))
        elif name:
            raise MetaphraseError(f"{guest.common_forms}: there is no form {name!r}; take it out")
    return forms


def precompile(guest: Guest) -> int:
    """Compile the guest's runtime and its common forms into `FOLDER`, in the place of all that was there of this guest.

    Gives the number of forms.
    """
    import shutil  # which runs of programs would wait for

    for old in FOLDER.glob(f"{guest.name}-*"):
        shutil.rmtree(old)
    cache = Cache(guest.name, FOLDER)
    Runtime(guest, code_cache(), cache)
    handlers = Handlers(guest, NativeTables(guest, cache).count, code_cache(), cache)
    handlers.ensure(common_forms(guest))
    handlers.save()
    handlers.pack()
    for path in FOLDER.iterdir():
        if path.is_file():  # the cache's notes to itself
            path.unlink()
    for path in FOLDER.rglob("*.img"):
        path.chmod(0o644)  # a cache is its owner's alone, an installation everybody's
    if cache.folder is None:
        raise MetaphraseError(f"nothing could be written to {FOLDER}")
    return handlers.compiled


def learn(guest: Guest, folder: Path) -> int:
    """Add to the guest's common forms those that the persistent cache in a folder has; gives how many that were."""
    if guest.common_forms is None:
        return 0
    known = set(filter(None, guest.common_forms.read_text().split("\n")))
    cache = Cache(guest.name, folder)
    found = {form for name in cache.names("handlers") if (entry := cache.load(name)) for form in entry[0]["forms"]}
    guest.common_forms.write_text("".join(f"{name}\n" for name in sorted(known | found)))
    return len(found - known)
