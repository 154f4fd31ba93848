"""The x86 guests, registered as "x86_64" and "i386"."""

from __future__ import annotations

from metaphrase.translator.guest import Guest, register


def _make_x86_64() -> Guest:
    from metaphrase.translator.x86.guest import X86Guest  # the tables take a moment: built when first asked for

    return X86Guest()


def _make_i386() -> Guest:
    from metaphrase.translator.x86.guest import I386Guest

    return I386Guest()


register("x86_64", _make_x86_64)
register("i386", _make_i386)
