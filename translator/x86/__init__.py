"""The x86 guests, one for each of the modes (`modes.py`): "x86_64", "i386", "i8086", "i286" and so on."""

from __future__ import annotations

from functools import partial

from metaphrase.translator.guest import Guest, register
from metaphrase.translator.x86.modes import FLAT, LONG, MODES, Mode


def _make_x86_64() -> Guest:
    from metaphrase.translator.x86.guest import X86Guest  # the tables take a moment: built when first asked for

    return X86Guest()


def _make_i386() -> Guest:
    from metaphrase.translator.x86.guest import I386Guest

    return I386Guest()


def _make_segmented(mode: Mode) -> Guest:
    from metaphrase.translator.x86.segmented import SegmentedGuest

    return SegmentedGuest(mode)


register(LONG.name, _make_x86_64)
register(FLAT.name, _make_i386)
for _mode in MODES:
    if not _mode.flat:
        register(_mode.name, partial(_make_segmented, _mode))
