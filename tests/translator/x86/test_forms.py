"""Every form of every row: its IR is well-formed, in both bindings."""

from __future__ import annotations

import pytest

from metaphrase.ir.verify import verify
from metaphrase.translator.guest import Decoded, Description
from metaphrase.translator.x86 import state as s
from tests.translator.x86.differential import GUESTS, row_id
from tests.translator.x86.forms import forms, lift_form
from tests.translator.x86.selection import SLICE


@pytest.mark.parametrize(("row", "mode"), SLICE, ids=row_id)
def test_every_form_is_well_formed(row: Description, mode: int) -> None:
    for statics in forms(row, mode):
        registers = (s.GPR[1], s.GPR[2], s.GPR[3], s.GPR[6], 1, s.FS_BASE, s.GPR[7], s.XMM[5])
        decoded = Decoded(row.row, statics, registers, 0x12, 0x34, 0x1000, 4)
        for constant in (False, True):
            verify(lift_form(row.row, statics, decoded if constant else None, GUESTS[mode]))
