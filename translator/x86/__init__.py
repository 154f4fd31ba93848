"""The x86-64 guest, registered as "x86_64"."""

from __future__ import annotations

from metaphrase.translator.guest import Guest, register


def _make() -> Guest:
    from metaphrase.translator.x86.guest import X86Guest  # the tables take a moment: built when first asked for

    return X86Guest()


register("x86_64", _make)
