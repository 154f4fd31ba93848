"""The SSE chapters are complete."""

from __future__ import annotations

from tests.translator.x86.vector_setups import ROWS


def test_the_chapters_are_complete() -> None:
    """Every opcode of SSE and SSE2 on XMM registers is described (SDM volume 2, tables A-3 and A-4)."""
    everywhere = {0x10, 0x11, 0x2A, 0x2C, 0x2D, 0x51, 0x58, 0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x70, 0xC2, 0xE6}
    both = {0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x28, 0x29, 0x2B, 0x2E, 0x2F, 0x50, 0x54, 0x55, 0x56, 0x57, 0xC6}
    integer = set(range(0x60, 0x77)) | {0x7E, 0x7F, 0xC4, 0xC5} | set(range(0xD1, 0xFF)) - {0xF0}
    described = {row.detail.encoding.opcode for row in ROWS}
    assert everywhere | both | integer <= described


def test_the_floats_of_sse3_and_sse4_1_are_described() -> None:
    """By their opcodes in the maps 0F, 0F 38 and 0F 3A (SDM volume 2, tables A-3 to A-5)."""
    encodings = [row.detail.encoding for row in ROWS if row.extension in ("sse3", "sse4.1")]
    described = {(encoding.map, encoding.opcode) for encoding in encodings}
    assert {(1, opcode) for opcode in (0x12, 0x16, 0x7C, 0x7D, 0xD0)} <= described
    assert {(2, 0x14), (2, 0x15), *((3, op) for op in (8, 9, 0xA, 0xB, 0xC, 0xD, 0x17, 0x21, 0x40, 0x41))} <= described


def test_sse4_2_is_described() -> None:
    """The comparison of strings and CRC32; PCMPGTQ stands with the integers."""
    names = {row.name for row in ROWS if row.extension == "sse4.2"}
    assert names >= {"pcmpestri", "pcmpestrm", "pcmpistri", "pcmpistrm", "crc32"}
