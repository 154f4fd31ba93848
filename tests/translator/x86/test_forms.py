"""Every form of every row: its IR is well-formed, in both bindings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function
from metaphrase.ir.verify import verify
from metaphrase.translator.emitter import Constants
from metaphrase.translator.guest import Decoded, Description
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.decoder import encoding_of
from metaphrase.translator.x86.emitter import Statics
from tests.translator.x86.differential import GUEST, row_id

_SIZES = {0: (0,), 1: (16, 32, 64), 2: (16, 64), 3: (64,), 4: (32, 64)}
"""The operand sizes of each size rule of the table."""


def forms(row: Description) -> Iterator[int]:
    """The statics that the decoder can give for a row."""
    e = encoding_of(row)
    if e.addresses or e.immediate == 8:
        kinds: list[int] = [1, 3, 5]
    elif not e.modrm:
        kinds = [0]
    else:
        kinds = {None: [0, 1, 2, 3, 4, 5], 0: [1, 2, 3, 4, 5], 1: [0]}[e.form]
    for size in _SIZES[e.size_rule]:
        for kind in kinds:
            for lock in (False, True) if e.lockable and kind else (False,):
                for repeat in (0, 2, 3) if e.repeatable else (0,):
                    yield Statics(size, kind, lock, repeat).pack()


@pytest.mark.parametrize("row", GUEST.rows, ids=row_id)
def test_every_form_is_well_formed(row: Description) -> None:
    for statics in forms(row):
        registers = (s.GPR[1], s.GPR[2], s.GPR[3], s.GPR[6], 1, s.FS_BASE, s.GPR[7], s.XMM[5])
        decoded = Decoded(row.row, statics, registers, 0x12, 0x34, 0x1000, 4)
        for constant in (False, True):
            function = Function("form", GUEST.layout, simplify=simplify)
            m = GUEST.make_emitter(function)
            if constant:
                m.binding = Constants(function, decoded, origin=decoded.pc)
            GUEST.emit(m, row.row, statics)
            if not m.ended:
                m.next()
            verify(function)
