"""Assembly text to machine code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from metaphrase.translator.guest import AssemblyError
from metaphrase.translator.x86.modes import MODES


def assemble(guest: str, text: str, address: int) -> bytes:
    """Machine code for assembly text, whose instructions are separated by line breaks or semicolons.

    `address` is where it will lie. Raises AssemblyError.
    """
    if guest not in ASSEMBLERS:
        known = ", ".join(ASSEMBLERS)
        raise AssemblyError(f"no assembler is known for {guest}; give the bytes (there is one for {known})")
    code = ASSEMBLERS[guest](text, address)
    if not code:
        raise AssemblyError(f"{guest}: {text!r} holds no instruction")
    return code


def _x86(guest: str, size: int, text: str, address: int) -> bytes:
    """Intel's syntax, for code of a size in bits, by keystone."""
    import keystone  # starts slowly, and is only needed here

    mode = {16: keystone.KS_MODE_16, 32: keystone.KS_MODE_32, 64: keystone.KS_MODE_64}[size]
    engine = keystone.Ks(keystone.KS_ARCH_X86, mode)
    try:
        code, _ = engine.asm(text, address, as_bytes=True)
    except keystone.KsError as error:
        raise AssemblyError(f"{guest}: {text!r} cannot be assembled: {error}") from error
    return bytes(code or b"")


def _riscv64(text: str, address: int) -> bytes:
    """In the assembly language of the guest's own table."""
    from metaphrase.translator.riscv.assembler import assemble_text  # the tables take a moment

    return assemble_text(text, address)


ASSEMBLERS: Final[dict[str, Callable[[str, int], bytes]]] = {
    **{mode.name: partial(_x86, mode.name, mode.size) for mode in MODES}, "riscv64": _riscv64,
}  # fmt: skip

__all__ = ["AssemblyError", "assemble"]
