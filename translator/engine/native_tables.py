"""The tables that native code decodes and translates by, made from a guest's descriptions."""

from __future__ import annotations

import struct
from array import array

from metaphrase.backends.llvm import context as c
from metaphrase.translator.engine.cache import Cache
from metaphrase.translator.engine.host_memory import HostBlock
from metaphrase.translator.guest import Answers, Guest


class NativeTables:
    """A guest's tables in memory. They are kept in the cache: what describes instructions takes a while to import, and
    a run that has nothing to compile needs no more of it than this.

    count    rows of the guest's table
    rows     width of a form's statics (u64); then a byte a row, which says whether it ends a block
    decoder  what the guest's native decoder reads
    answers  what native code answers to one of the guest's reasons to leave, if there is such
    """

    def __init__(self, guest: Guest, cache: Cache) -> None:
        name = f"tables-{guest.dialect}" if guest.dialect else "tables"
        found = cache.load(name)
        if found is None:
            ends = bytes(description.ends_block for description in guest.rows)
            decoder = guest.decoder_table()
            cache.store(name, {"rows": len(ends)}, ends + decoder)
        else:
            header, _, both = found
            ends, decoder = both[: header["rows"]], both[header["rows"] :]
        self.count = len(ends)
        self.rows = _placed(guest.static_bits.to_bytes(8, "little") + ends)
        self.decoder = _placed(decoder)
        self.answers = _answers(guest, guest.answers) if guest.answers is not None else None


def _answers(guest: Guest, told: Answers) -> HostBlock:
    """A guest's answers as native code reads them (`native/answers.ll`)."""
    places = [guest.layout[name].offset for name in (*told.keys, *told.results)]
    rows = (
        word
        for keys, values in told.rows
        for word in (*(part for key in keys for part in ((0, 0) if key is None else (key, 0xFFFF_FFFF))), *values)
    )
    head = struct.pack("<7Q", c.Reasons.number(told.reason, guest.reasons), *places).ljust(c.ANSWER_ROWS, b"\0")
    return _placed(head + array("I", rows).tobytes())


def _placed(data: bytes) -> HostBlock:
    block = HostBlock(len(data))
    block.view[: len(data)] = data
    return block
