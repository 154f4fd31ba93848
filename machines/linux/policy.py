"""What a guest process may do: which files, how much of the network, which processes, and how much of what is scarce.

A policy is data; `confinement` holds a process to it. No policy at all means the caller's own rights. Presets are files
in the form that users write theirs in (docs/policy.md).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

from metaphrase.ir.errors import MetaphraseError

CALLER: Final = "caller"
"""The name of the caller's own rights, in place of a preset or a file."""
_PRESETS: Final = Path(__file__).parent / "presets"


class PolicyError(MetaphraseError):
    """A policy says something that it cannot say; the text names the place, and what would be right."""


class Access(Enum):
    """What a guest may do with a file, and with all that lies beneath a folder."""

    HIDDEN = "hidden"
    """It is not there."""
    READ = "read"
    """Files and folders can be read, and run; nothing can be changed."""
    USE = "use"
    """The same, and devices, pipes, sockets and files can be opened or connected to, to read and to write."""
    OVERLAY = "overlay"
    """What is there can be read, and what is changed is kept aside: the host's files stay as they are."""
    SCRATCH = "scratch"
    """A folder that is empty to begin with, whatever the host has there."""
    WRITE = "write"
    """Everything that the caller may do."""


class Reach(Enum):
    """How far a guest's sockets reach. Those between processes of its own, by name or in pairs, it may always have."""

    NONE = "none"
    LOOPBACK = "loopback"
    """This machine's own addresses, 127.0.0.0/8 and ::1."""
    ALL = "all"


@dataclass(frozen=True)
class Limits:
    """How much a guest may have; None is no limit but the caller's."""

    address_space: int | None = None
    """Bytes that one process may map; more is ENOMEM."""
    open_files: int | None = None
    """Descriptors of one process; more is EMFILE."""
    cpu_time: float | None = None
    """Seconds of processor time of one process, translation included: then SIGXCPU, a second later SIGKILL."""
    file_size: int | None = None
    """Bytes of a file that is written; more is SIGXFSZ or EFBIG."""


@dataclass(frozen=True)
class Policy:
    """What a guest may do. An empty one allows nothing beyond its own memory and standard descriptors."""

    files: Mapping[str, Access] = field(default_factory=dict)
    """By path; of several that fit, the longest counts. `~` is the home folder, other relative paths begin in the
    working directory."""
    network: Reach = Reach.NONE
    processes: int | None = 1
    """How many processes there may be at once, and threads of each; None is no limit. Signals reach these only."""
    limits: Limits = field(default_factory=Limits)
    keep: str | None = None
    """A folder for what overlays and scratch folders hold, which stays; by default it is a temporary one."""

    def text(self) -> str:
        """The policy as a file says it."""
        lines = [f"processes = {self.processes}" if self.processes is not None else "processes = false"]
        lines += [f"network = {_quoted(self.network.value)}"]
        lines += [f"keep = {_quoted(self.keep)}"] if self.keep is not None else []
        lines += ["[files]", *(f"{_quoted(path)} = {_quoted(access.value)}" for path, access in self.files.items())]
        limits = {item.name: getattr(self.limits, item.name) for item in fields(Limits)}
        lines += ["[limits]", *(f"{name} = {value}" for name, value in limits.items() if value is not None)]
        return "\n".join(lines) + "\n"


def presets() -> tuple[str, ...]:
    """The names of the presets there are."""
    return (CALLER, *sorted(path.stem for path in _PRESETS.glob("*.toml")))


def find_policy(policy: Policy | str | os.PathLike[str] | None) -> Policy | None:
    """A policy by a preset's name or a file's; None for the caller's own rights. PolicyError says what is wrong."""
    if policy is None or isinstance(policy, Policy):
        return policy
    name = os.fspath(policy)
    if name == CALLER:
        return None
    if "/" not in name and name in presets():
        return _preset(name)
    try:
        text = Path(name).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise PolicyError(
            f"policy {name}: it is neither a preset ({', '.join(presets())}) nor a file that can be read: {reason}"
        ) from None
    return parse(text, name)


def _preset(name: str) -> Policy:
    return parse((_PRESETS / f"{name}.toml").read_text(), name)


def parse(text: str, name: str = "policy") -> Policy:
    """A policy from a file's text; `name` is what errors call it."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{name}: {error}") from None
    policy = Policy()
    if "preset" in given:
        wanted = given.pop("preset")
        if not isinstance(wanted, str) or wanted not in presets() or wanted == CALLER:
            known = ", ".join(preset for preset in presets() if preset != CALLER)
            raise PolicyError(f"{name}: preset = {wanted!r}: write one of {known}")
        policy = _preset(wanted)
    readers: dict[str, Callable[[Policy, Any], Policy]] = {
        "files": lambda before, value: replace(before, files=_files(before.files, value)),
        "network": lambda before, value: replace(before, network=_choice(Reach, value)),
        "processes": lambda before, value: replace(before, processes=_count(value)),
        "limits": lambda before, value: replace(before, limits=_limits(before.limits, value)),
        "keep": lambda before, value: replace(before, keep=_text(value)),
    }
    for key, value in given.items():
        if key not in readers:
            raise PolicyError(f"{name}: there is no {key!r}; there are {', '.join(['preset', *readers])}")
        try:
            policy = readers[key](policy, value)
        except _WrongError as error:
            raise PolicyError(f"{name}: {'.'.join([key, *error.inside])}{error}") from None
    return policy


class _WrongError(Exception):
    """What is wrong with a value, and inside of which keys it stands."""

    def __init__(self, text: str, *inside: str) -> None:
        super().__init__(text)
        self.inside = inside


def _files(before: Mapping[str, Access], value: Any) -> dict[str, Access]:
    if not isinstance(value, dict):
        raise _WrongError(f' = {value!r}: write a table of paths, such as [files] "/usr" = "read"')
    files = dict(before)
    for path, access in value.items():
        if not path or "\0" in path:
            raise _WrongError(": a path is not empty, and holds no NUL", repr(path))
        try:
            files[path] = _choice(Access, access)
        except _WrongError as error:
            raise _WrongError(str(error), repr(path)) from None
    return files


def _choice(kind: Any, value: Any) -> Any:
    words = [member.value for member in kind]
    if value not in words:
        raise _WrongError(f" = {value!r}: write one of {', '.join(words)}")
    return kind(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _WrongError(f" = {value!r}: write a path")
    return value


def _count(value: Any) -> int | None:
    if value is False:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _WrongError(f" = {value!r}: write a number from 1, or false for no limit")
    return value


_UNITS: Final = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE: Final = re.compile(r"(\d+) ?([KMGT]iB|B)\Z")


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.match(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise _WrongError(f" = {value!r}: write a number of bytes, or such as '4 GiB'")
    return int(match[1]) * _UNITS[match[2]]


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise _WrongError(f" = {value!r}: write a number of seconds")
    return float(value)


_LIMITS: Final[Mapping[str, Callable[[Any], float | None]]] = {
    "address_space": _size, "open_files": _count, "cpu_time": _seconds, "file_size": _size,
}  # fmt: skip


def _limits(before: Limits, value: Any) -> Limits:
    if not isinstance(value, dict):
        raise _WrongError(f" = {value!r}: write a table, such as [limits] cpu_time = 60")
    changed: dict[str, Any] = {}
    for key, limit in value.items():
        if key not in _LIMITS:
            raise _WrongError(f": there is no such limit; there are {', '.join(_LIMITS)}", key)
        try:
            changed[key] = None if limit is False else _LIMITS[key](limit)
        except _WrongError as error:
            raise _WrongError(f"{error}, or false for no limit" if limit is not True else str(error), key) from None
    return replace(before, **changed)


def _quoted(text: str) -> str:
    """A string as TOML has it."""
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"')
    return '"' + re.sub(r"\\x(..)", r"\\u00\1", escaped) + '"'
