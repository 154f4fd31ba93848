"""CPUID announces what is described and the model has, and reads as C libraries and tools read it."""

from __future__ import annotations

import random
import struct

import pytest

import metaphrase as mp
from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.x86 import cpuid as module
from metaphrase.translator.x86.features import BASELINE, FEATURES, NEEDS
from metaphrase.translator.x86.models import DEFAULT, MODELS, processor
from tests.metaphrase.isolated import isolated
from tests.translator.x86.differential import GUEST

IMPLICIT = {"fpu", "cmov", "syscall", "nx", "lm", "invariant_tsc", "osxsave", "xgetbv1"}
"""Announced, but the rows carry no such mark: parts of every x86-64, or no instructions at all."""


def cpuid(leaf: int, subleaf: int, of: str = DEFAULT) -> tuple[int, int, int, int]:
    return module.cpuid(processor(of), leaf, subleaf)


def announced(of: str) -> set[str]:
    """The features that a program finds by CPUID."""
    registers = ("eax", "ebx", "ecx", "edx")
    last = {0: cpuid(0, 0, of)[0], 0x8000_0000: cpuid(0x8000_0000, 0, of)[0]}
    return {
        name
        for name, (leaf, register, bit) in FEATURES.items()
        if leaf <= last[leaf & 0x8000_0000]
        and cpuid(leaf, leaf == 0xD, of)[registers.index(register)] >> bit & 1
    }


def test_announced_extensions_are_described() -> None:
    described = {row.extension for row in GUEST.rows}
    assert not FEATURES.keys() - IMPLICIT - described


def test_vendor_and_brand() -> None:
    last, *words = cpuid(0, 0)
    ebx, ecx, edx = (word.to_bytes(4, "little") for word in words)
    assert last == 0xD and ebx + edx + ecx == b"GenuineIntel"
    text = b"".join(word.to_bytes(4, "little") for leaf in (2, 3, 4) for word in cpuid(0x8000_0000 + leaf, 0))
    assert text.rstrip(b"\0") == b"Metaphrase x86-64 guest"


def test_the_baseline_of_x86_64() -> None:
    """What the psABI's x86-64 baseline asks for: CMOV, CX8, FPU, FXSR, MMX, OSFXSR (by SSE), SCE, SSE, SSE2."""
    edx = cpuid(1, 0)[3]
    assert all(edx >> bit & 1 for bit in (0, 8, 15, 23, 24, 25, 26))
    assert cpuid(0x8000_0001, 0)[3] >> 11 & 1


def test_xsave_and_where_it_puts_avx() -> None:
    assert cpuid(1, 0)[2] >> 26 & 7 == 7  # XSAVE, OSXSAVE, AVX
    enabled, size, largest, _ = cpuid(0xD, 0)
    length, offset, supervisor, _ = cpuid(0xD, 2)
    assert (enabled, size, largest, supervisor) == (7, offset + length, offset + length, 0) and offset == 576
    assert cpuid(0xD, 1)[0] & 3 == 3 and cpuid(0xD, 5) == (0, 0, 0, 0)


@pytest.mark.parametrize(("number", "size"), [(0, 32 << 10), (1, 32 << 10), (2, 1 << 20), (3, 8 << 20)])
def test_caches(number: int, size: int) -> None:
    eax, ebx, ecx, _ = cpuid(4, number)
    ways, partitions, line = (ebx >> 22) + 1, (ebx >> 12 & 0x3FF) + 1, (ebx & 0xFFF) + 1
    assert eax & 31 and ways * partitions * line * (ecx + 1) == size


@pytest.mark.parametrize("leaf", [4, 5, 8, 0xB, 0xD, 0x4000_0000, 0x8000_0009, 0xFFFF_FFFF])
def test_leaves_that_do_not_exist(leaf: int) -> None:
    assert cpuid(leaf, 9) == (0, 0, 0, 0)


ASK_ALL = """
again: mov eax, [rsi]; mov ecx, [rsi + 4]; cpuid; mov [rdi], rax; mov [rdi + 8], rbx; mov [rdi + 16], rcx
mov [rdi + 24], rdx; add rsi, 8; add rdi, 32; dec r8; jne again
"""


@isolated
def test_native_code_tells_the_same() -> None:
    """It has a table of all leaves; the upper halves of the registers are cleared."""
    chance = random.Random(1)
    asked = [(leaf, subleaf) for leaf in (*range(0x12), *range(0x8000_0000, 0x8000_000A)) for subleaf in range(10)]
    asked += [(chance.getrandbits(32), chance.getrandbits(32)) for _ in range(50)]
    asked += [(chance.randrange(0x10), chance.getrandbits(32)) for _ in range(50)]
    questions = b"".join(struct.pack("<II", *pair) for pair in asked)
    for model in ("max", "haswell", "qemu64", "nehalem,+bmi1"):
        for tier in ("reference", "0", "1"):
            code = mp.code("x86_64", asm=ASK_ALL, cpu=model)
            code.map(0x10000, questions)
            code.map(0x20000, 32 * len(asked))
            code.run(tier=tier, rsi=0x10000, rdi=0x20000, r8=len(asked))
            told = list(struct.iter_unpack("<4Q", code.peek(0x20000, 32 * len(asked))))
            assert told == [cpuid(leaf, subleaf, model) for leaf, subleaf in asked], (model, tier)


# --- models -----------------------------------------------------------------------------------------------------------
SIGNATURES = {
    "qemu64": 0x60FB1, "core2": 0x10676, "nehalem": 0x106A4, "westmere": 0x206C2, "sandybridge": 0x206A7,
    "ivybridge": 0x306A9, "haswell": 0x306C3, "broadwell": 0x306D4, "skylake": 0x506E3, "max": 0x663,
}  # fmt: skip
NEW = {
    "nehalem": "sse4.2 popcnt rdtscp invariant_tsc", "westmere": "aes pclmulqdq",
    "sandybridge": "avx xsave osxsave xsaveopt", "ivybridge": "f16c rdrand fsgsbase",
    "haswell": "avx2 fma bmi1 bmi2 lzcnt movbe", "broadwell": "adx rdseed prefetchw",
    "skylake": "clflushopt xsavec xgetbv1",
}  # fmt: skip
"""What each has that the one before has not."""


@pytest.mark.parametrize("name", MODELS)
def test_a_model_announces_what_it_has(name: str) -> None:
    assert announced(name) == processor(name).features >= BASELINE
    assert cpuid(1, 0, name)[0] == SIGNATURES[name]
    _, *words = cpuid(0, 0, name)
    ebx, ecx, edx = (word.to_bytes(4, "little") for word in words)
    assert ebx + edx + ecx == (b"AuthenticAMD" if name == "qemu64" else b"GenuineIntel")


def test_what_each_generation_brought() -> None:
    assert announced("qemu64") - BASELINE == {"sse3", "cx16", "lahf"}
    before = announced("core2")
    assert before - BASELINE == {"sse3", "ssse3", "sse4.1", "cx16", "lahf"}
    for name, new in NEW.items():
        assert announced(name) == before | set(new.split()), name
        before = announced(name)
    assert announced("max") == FEATURES.keys()


@pytest.mark.parametrize("name", [*MODELS, "max,-avx", "max,-xsave", "max,-osxsave", "qemu64,+avx2"])
def test_state_components_follow(name: str) -> None:
    """No AVX without OSXSAVE and XCR0; the XSAVE area is as large as XCR0 says."""
    features = announced(name)
    has_state, has_avx = "osxsave" in features, "avx" in features
    enabled, size, largest, _ = cpuid(0xD, 0, name)
    assert has_state or not has_avx
    assert (enabled, size, largest) == ((7, 832, 832) if has_avx else (3, 576, 576) if has_state else (0, 0, 0))
    assert cpuid(0xD, 2, name)[:2] == ((256, 576) if has_avx else (0, 0))
    assert processor(name).xcr0 == enabled and GUEST.with_cpu(name).reset_values["xcr0"] == enabled


def test_leaves_end_where_the_model_has_nothing_more_to_say() -> None:
    assert [cpuid(0, 0, name)[0] for name in ("core2", "nehalem,+bmi1", "sandybridge", "max")] == [4, 7, 0xD, 0xD]
    assert cpuid(7, 0, "nehalem") == cpuid(0xD, 0, "nehalem") == (0, 0, 0, 0)


def test_caches_as_amd_tells_them() -> None:
    assert cpuid(4, 0, "qemu64") == cpuid(2, 0, "qemu64") == (0, 0, 0, 0)
    _, _, data, code = cpuid(0x8000_0005, 0, "qemu64")
    _, _, second, third = cpuid(0x8000_0006, 0, "qemu64")
    assert data >> 24 == code >> 24 == 32 and second >> 16 == 1024 and third >> 18 == 8 * 2
    assert cpuid(0x8000_0005, 0) == (0, 0, 0, 0) and cpuid(0x8000_0006, 0)[3] == 0


# --- features added and left out --------------------------------------------------------------------------------------
def features_of(text: str) -> frozenset[str]:
    return processor(text).features


@pytest.mark.parametrize("feature", sorted(FEATURES.keys() - BASELINE))
def test_a_feature_that_is_left_out_takes_along_what_needs_it(feature: str) -> None:
    left = features_of(f"max,-{feature}")
    gone = FEATURES.keys() - left
    assert feature in gone
    assert not any(need in gone for each in left for need in NEEDS.get(each, ()))
    assert all(each == feature or not gone.isdisjoint(NEEDS[each]) for each in gone)
    assert features_of(f"qemu64,-{feature},+{feature}") >= {feature, *NEEDS.get(feature, ())}


def test_changes_are_made_in_order_and_names_are_in_any_case() -> None:
    assert features_of("Haswell, -AVX2") == features_of("haswell") - {"avx2"}
    assert features_of("max,-sse4.2") == FEATURES.keys() - {"sse4.2", "avx", "avx2", "fma", "f16c", "vaes",
                                                           "vpclmulqdq"}  # fmt: skip
    assert features_of("haswell,-avx,+avx2") == features_of("haswell") - {"fma", "f16c"}
    assert features_of("haswell,+avx2,-avx") == features_of("haswell") - {"avx", "avx2", "fma", "f16c"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pentium", ("'pentium'", "there are", "nehalem", "max")),
        ("", ("''", "there are", "nehalem")),
        ("max,+avx512f", ("'avx512f'", "not implemented", "avx2")),
        ("max,-erms", ("'erms'", "not implemented")),
        ("max,-sse2", ("'sse2'", "every CPU")),
        ("max,avx2", ("'avx2'", "+FEATURE")),
        ("max,", ("''", "+FEATURE")),
    ],
)
def test_what_is_wrong_is_told_with_what_there_is(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(MetaphraseError) as error:
        GUEST.with_cpu(text)
    assert all(word in str(error.value) for word in words), error.value


def test_dialects_are_named_by_features() -> None:
    def dialect(text: str) -> str:
        return GUEST.with_cpu(text).dialect

    assert dialect("max,-avx2") == dialect("MAX,-avx2") != dialect("max") == GUEST.dialect
    assert dialect("broadwell,-adx,-rdseed,-prefetchw") == dialect("haswell")
