"""What the figures depend on besides the code: the machine, and the versions of what is measured."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from metaphrase import __version__
from metaphrase.benchmarks.engines import QEMU

ROOT = Path(__file__).resolve().parent.parent
OF_THE_MOMENT = ("date", "load_average", "metaphrase")
"""What may differ between two runs that are to be compared."""


def version_of(*command: str) -> str:
    """The first line that a command prints."""
    if not shutil.which(command[0]):
        return "not installed"
    return next(iter(subprocess.run(command, capture_output=True, text=True).stdout.splitlines()), "unknown")


def package_version(package: str) -> str:
    """The version of an installed Debian package, or ""."""
    if not shutil.which("dpkg-query"):
        return ""
    return subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True
    ).stdout.strip()


def own_version() -> str:
    """The version, and the commit in a checkout; + marks changes that are in no commit."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return __version__
    commit = version_of("git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*")
    return f"{__version__} ({commit})"


def _line(path: str, start: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(start)), "")


def host() -> dict[str, Any]:
    """The machine and the versions, as names and values that JSON can hold."""
    return {
        "processor": _line("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _line("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "distribution": _release(),
        "python": platform.python_version(),
        "llvmlite": metadata.version("llvmlite"),
        "gcc": version_of("gcc", "--version"),
        "qemu": version_of(QEMU, "--version"),
        "metaphrase": own_version(),
        "load_average": os.getloadavg()[0],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _release() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def differences(old: dict[str, Any], new: dict[str, Any], ignored: Sequence[str] = ()) -> list[str]:
    """One line for each entry that two machines, or two settings, both tell and differ in."""
    names = [name for name in old if name in new and name not in ignored]
    return [f"{name}: {old[name]} -> {new[name]}" for name in names if old[name] != new[name]]
