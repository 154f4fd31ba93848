"""The ops that may read and write the slot of the floating-point environment without naming it."""

from __future__ import annotations

from typing import Final

from metaphrase.ir.ops import OPS
from metaphrase.ir.verify import FLOAT_OPS

USES_ENVIRONMENT: Final = frozenset(
    OPS[name]
    for name in (*FLOAT_OPS, "fconvert", "fconvert_by", "ftosi", "ftosi_trunc", "sitof", "get_fenv", "set_fenv")
)
