"""Assembly text to machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from metaphrase.translator.guest import AssemblyError


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


def _x86_64(text: str, address: int) -> bytes:
    return _x86("x86_64", text, address)


def _i386(text: str, address: int) -> bytes:
    return _x86("i386", text, address)


def _x86(guest: str, text: str, address: int) -> bytes:
    """Intel's syntax, by keystone."""
    import keystone  # starts slowly, and is only needed here

    mode = keystone.KS_MODE_64 if guest == "x86_64" else keystone.KS_MODE_32
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
    "x86_64": _x86_64, "i386": _i386, "riscv64": _riscv64,
}  # fmt: skip

__all__ = ["AssemblyError", "assemble"]
