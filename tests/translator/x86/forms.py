"""The forms of a row: what the decoder can make static of it, and the IR of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache

from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function
from metaphrase.ir.text import print_function
from metaphrase.translator.emitter import Constants
from metaphrase.translator.guest import Decoded, Description
from metaphrase.translator.x86.addresses import Statics
from metaphrase.translator.x86.decoder import encoding_of
from metaphrase.translator.x86.guest import X86Guest
from tests.translator.x86.differential import GUEST, GUESTS

_SIZES = {
    64: {0: (0,), 1: (16, 32, 64), 2: (16, 64), 3: (64,), 4: (32, 64), 5: (0,)},
    32: {0: (0,), 1: (16, 32), 2: (16, 32), 3: (16, 32), 4: (32,), 5: (0,)},
    16: {0: (0,), 1: (16, 32), 2: (16, 32), 3: (16, 32), 4: (32,), 5: (16, 32)},
}
"""The operand sizes of each size rule of the table, by mode."""


def forms(row: Description, mode: int = 64) -> Iterator[int]:
    """The statics that the decoder can give for a row in a mode."""
    e = encoding_of(row)
    if e.addresses or e.immediate == 8:
        kinds: list[int] = [1, 3, 5]
    elif not e.modrm:
        kinds = [0]
    else:
        kinds = {None: [0, 1, 2, 3, 4, 5], 0: [1, 2, 3, 4, 5], 1: [0]}[e.form]
    if not GUESTS[mode].mode.flat:
        kinds = [kind for kind in kinds if kind not in (1, 2)]
    for size in _SIZES[mode][e.size_rule]:
        for kind in kinds:
            for lock in (False, True) if e.lockable and kind else (False,):
                for repeat in (0, 2, 3) if e.repeatable else (0,):
                    yield Statics(size, kind, lock, repeat).pack()


def lift_form(row: int, statics: int, constants: Decoded | None = None, by: X86Guest = GUEST) -> Function:
    """The IR of a form of a guest; its operands are constants, or else the fields of a record."""
    function = Function("form", GUEST.layout, simplify=simplify)
    m = by.make_emitter(function)
    if constants is not None:
        m.binding = Constants(function, constants, origin=constants.pc)
    by.emit(m, row, statics)
    if not m.ended:
        m.next()
    return function


@cache
def digest(row: Description) -> str:
    """Names what a row means: the IR of all its forms."""
    text = "\n".join(print_function(lift_form(row.row, statics)) for statics in forms(row))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
