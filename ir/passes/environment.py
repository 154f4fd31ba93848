"""The slot of the state that floating-point ops may read and write without naming it."""

from __future__ import annotations

from typing import Final

from metaphrase.ir.ops import OPS
from metaphrase.ir.verify import FLOAT_OPS

ENVIRONMENT_SLOT: Final = "fenv"
"""A backend may keep the floating-point environment in the layout's slot of this name, if there is one."""
USES_ENVIRONMENT: Final = frozenset(
    OPS[name]
    for name in (*FLOAT_OPS, "fconvert", "fconvert_by", "ftosi", "ftosi_trunc", "sitof", "get_fenv", "set_fenv")
)
