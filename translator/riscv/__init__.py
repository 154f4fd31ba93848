"""The RISC-V guest, registered as "riscv64"."""

from __future__ import annotations

from metaphrase.translator.guest import register
from metaphrase.translator.riscv.guest import RiscvGuest

register("riscv64", RiscvGuest)
