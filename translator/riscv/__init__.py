"""The RISC-V guest, registered as "riscv64"."""

from __future__ import annotations

from metaphrase.translator.guest import Guest, register


def _make() -> Guest:
    from metaphrase.translator.riscv.guest import RiscvGuest  # programs of other guests start without it

    return RiscvGuest()


register("riscv64", _make)
