"""`metaphrase precompile`: what every first run would have to compile, made when Metaphrase is installed."""

from __future__ import annotations

from pathlib import Path

from metaphrase.registry import find_guest, guest_names
from metaphrase.translator.engine import precompiled


def precompile_command(learn: str | None) -> None:
    """Precompile for every guest that has programs, and say what was done.

    `learn` names a cache whose forms become common ones.
    """
    for name in guest_names():
        guest = find_guest(name)
        if not guest.has_programs:
            continue
        if learn is not None:
            print(f"{guest.name}: {precompiled.learn(guest, Path(learn))} forms more are common")
        print(f"{guest.name}: the runtime and {precompiled.precompile(guest)} forms in {precompiled.FOLDER}")
