"""What differs between the architectures that Linux runs on: numbers, registers, and a few structures.

A new guest adds one module here with an `ABI`, and its line in `ABIS`.
"""

from __future__ import annotations

from metaphrase.machines.linux.abi import i386, riscv64, x86_64
from metaphrase.machines.linux.abi.base import Abi

ABIS: dict[str, Abi] = {abi.name: abi for abi in (x86_64.ABI, i386.ABI, riscv64.ABI)}

__all__ = ["ABIS", "Abi"]
