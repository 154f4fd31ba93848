"""The described instructions, one module a chapter of the manual; importing them fills the table."""

from __future__ import annotations

from metaphrase.translator.x86.instructions import (
    arithmetic,
    avx,
    bits,
    bmi,
    control,
    conversions,
    crypto,
    data_transfer,
    decimal,
    flags,
    fma,
    gathers,
    half_precision,
    mmx,
    multiplication,
    segments,
    shifts,
    sse4_float,
    sse4_integer,
    sse4_strings,
    sse_float,
    sse_integer,
    sse_transfer,
    ssse3,
    stack,
    strings,
    system,
    x87_arithmetic,
    x87_state,
    x87_transcendental,
    x87_transfer,
    xsave,
)
from metaphrase.translator.x86.table import ROWS

CHAPTERS = (
    data_transfer, stack, arithmetic, multiplication, shifts, bits, bmi, strings, control, flags, system,
    decimal, segments,
    sse_transfer, sse_float, conversions, sse_integer, ssse3, sse4_integer, sse4_float, sse4_strings, crypto,
    avx, fma, half_precision, gathers,
    mmx, x87_transfer, x87_arithmetic, x87_transcendental, x87_state,
    xsave,
)  # fmt: skip

__all__ = ["CHAPTERS", "ROWS"]
