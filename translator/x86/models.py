"""CPU models: which features a guest CPU has, and what it says that it is.

A model is a row: what it adds to another. Of a real processor's features it has those that are implemented.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.features import BASELINE, FEATURES, with_needs, without

INTEL, AMD = b"GenuineIntel", b"AuthenticAMD"
"""Vendors."""


class Model(NamedTuple):
    """A model by name: brand and family, model and stepping as CPUID tells them, and the features it has beyond
    those of its base."""

    name: str
    brand: str
    signature: tuple[int, int, int]
    base: str = ""
    adds: tuple[str, ...] = ()
    vendor: bytes = INTEL

    @property
    def features(self) -> frozenset[str]:
        return with_needs(self.adds) | (MODELS[self.base].features if self.base else BASELINE)


MODELS: Final = {
    model.name: model
    for model in (
        Model("qemu64", "QEMU Virtual CPU version 2.5+", (15, 107, 1), vendor=AMD, adds=("sse3", "cx16", "lahf")),
        Model("core2", "Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz", (6, 23, 6), adds=("sse4.1", "cx16", "lahf")),
        Model("nehalem", "Intel(R) Core(TM) i7 CPU         920  @ 2.67GHz", (6, 26, 4), base="core2",
              adds=("sse4.2", "popcnt", "rdtscp", "invariant_tsc")),
        Model("westmere", "Intel(R) Core(TM) i7 CPU       X 980  @ 3.33GHz", (6, 44, 2), base="nehalem",
              adds=("aes", "pclmulqdq")),
        Model("sandybridge", "Intel(R) Core(TM) i7-2600K CPU @ 3.40GHz", (6, 42, 7), base="westmere",
              adds=("avx", "xsaveopt")),
        Model("ivybridge", "Intel(R) Core(TM) i7-3770K CPU @ 3.50GHz", (6, 58, 9), base="sandybridge",
              adds=("f16c", "rdrand", "fsgsbase")),
        Model("haswell", "Intel(R) Core(TM) i7-4770K CPU @ 3.50GHz", (6, 60, 3), base="ivybridge",
              adds=("avx2", "fma", "bmi1", "bmi2", "lzcnt", "movbe")),
        Model("broadwell", "Intel(R) Core(TM) i7-5600U CPU @ 2.60GHz", (6, 61, 4), base="haswell",
              adds=("adx", "rdseed", "prefetchw")),
        Model("skylake", "Intel(R) Core(TM) i7-6700K CPU @ 4.00GHz", (6, 94, 3), base="broadwell",
              adds=("clflushopt", "xsavec", "xgetbv1")),
        # C libraries only look closer at vendors that they know; no program has tuning or workarounds for the model.
        Model("max", "Metaphrase x86-64 guest", (6, 6, 3), adds=tuple(FEATURES)),
    )
}  # fmt: skip
"""The models that there are, by name."""
DEFAULT: Final = "max"


class Processor(NamedTuple):
    """A guest CPU's model, and the features it has after all."""

    model: Model
    features: frozenset[str]

    @property
    def xcr0(self) -> int:
        """The components of state that XSAVE stores; 0 without it."""
        if "osxsave" not in self.features:
            return 0
        return s.XCR0 if "avx" in self.features else s.XCR0 & ~s.XCR0_AVX

    @property
    def last_xcr(self) -> int:
        """The last register that XGETBV can read."""
        return int("xgetbv1" in self.features)

    @property
    def digest(self) -> str:
        """Names the set of features."""
        return hashlib.blake2b(" ".join(sorted(self.features)).encode(), digest_size=4).hexdigest()


def processor(text: str) -> Processor:
    """The processor that a text describes: a model's name, and changes of its features ("haswell,-avx2,+sha").

    A feature brings those that it needs, and takes those along that need it. Raises MetaphraseError.
    """
    name, *changes = (word.strip().lower() for word in text.split(","))
    model = MODELS.get(name)
    if model is None:
        raise MetaphraseError(f"no CPU model is called {name!r}; there are {', '.join(MODELS)}")
    features = model.features
    for change in changes:
        sign, feature = change[:1], change[1:]
        if sign not in ("+", "-"):
            raise MetaphraseError(f"{change!r} does not change a CPU model: write +FEATURE or -FEATURE")
        if feature not in FEATURES:
            known = ", ".join(each for each in FEATURES if each not in BASELINE)
            raise MetaphraseError(f"the CPU feature {feature!r} is not implemented; there are {known}")
        if sign == "+":
            features |= with_needs((feature,))
        elif feature in BASELINE:
            raise MetaphraseError(f"every CPU has {feature!r}: it cannot be left out")
        else:
            features = without(features, feature)
    return Processor(model, features)
