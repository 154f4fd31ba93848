"""OpenSSL's digests."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

FILES = 32  # the same file several times: hardware that has SHA instructions reads gigabytes in a second

BENCHMARK = Program(
    "SHA-256 with OpenSSL: its assembly, by what CPUID promises.",
    group="cryptography",
    executables=("/usr/bin/openssl",),
    package="openssl",
    size=40_000_000,
    arguments=lambda inputs, size: ["dgst", "-sha256", "-r", *[inputs.noise(size)] * FILES],
)
