"""OpenSSL's ciphers."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

BENCHMARK = Program(
    "AES in counter mode with OpenSSL: its assembly, by what CPUID promises, and much reading and writing.",
    group="cryptography",
    executables=("/usr/bin/openssl",),
    package="openssl",
    size=256_000_000,
    arguments=lambda inputs, size: [
        "enc", "-aes-128-ctr", "-e", "-K", "00112233445566778899aabbccddeeff",
        "-iv", "0102030405060708090a0b0c0d0e0f10", "-in", inputs.noise(size),
    ],
)  # fmt: skip
