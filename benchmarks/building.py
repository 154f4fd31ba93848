"""Compiling C sources into a folder of binaries keyed by their content; tests and benchmarks share it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from metaphrase.ir.errors import MetaphraseError

COMPILERS = {"x86_64": "gcc", "i386": "gcc", "riscv64": "riscv64-linux-gnu-gcc"}
# Debian keeps the kernel's headers where only its own compiler for i386 looks.
GUEST_FLAGS = {"i386": ("-m32", "-msse2", "-I/usr/include/x86_64-linux-gnu")}
# -ffp-contract=off: RISC-V has fused operations, and the same source shall give the same bits everywhere.
COMMON_FLAGS = ("-std=gnu11", "-w", "-ffp-contract=off", "-fno-strict-aliasing")


class BuildError(MetaphraseError):
    """A compiler is missing or refused a source; the text holds its command and its messages."""


def build(source: Path, flags: Sequence[str], *, folder: Path, guest: str = "x86_64") -> Path:
    """The executable of `source` for `guest`, compiled unless `folder` holds it already.

    Its name carries a hash over the command, the source and the headers beside it. Safe when several processes
    build the same one at once.
    """
    command = [COMPILERS[guest], *COMMON_FLAGS, *GUEST_FLAGS.get(guest, ()), *flags]
    digest = hashlib.sha256("\0".join(command).encode())
    for part in [source, *sorted(source.parent.glob("*.h"))]:
        digest.update(part.read_bytes())
    binary = folder / f"{source.stem}-{guest}-{digest.hexdigest()[:16]}"
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=folder, prefix=".building-")
    os.close(handle)
    full = [*command, "-o", scratch, str(source), "-Wl,--as-needed", "-lm", "-latomic"]
    try:
        done = subprocess.run(full, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not installed (Debian's package list: tests/debian-packages.txt)") from error
    if done.returncode:
        Path(scratch).unlink(missing_ok=True)
        raise BuildError(f"{' '.join(full)} failed:\n{done.stderr}")
    os.chmod(scratch, 0o755)
    os.replace(scratch, binary)
    return binary
