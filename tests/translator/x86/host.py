"""The processor at hand as an oracle: what is true of it among what vendors do otherwise, and cases run on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from metaphrase.translator.guest import Description
from metaphrase.translator.x86.cpuid import LINUX_NAMES
from metaphrase.translator.x86.features import FEATURES
from tests.oracle.native import Case, Oracle, Result
from tests.translator.x86.accepted import ACCEPTED
from tests.translator.x86.execution import Execution
from tests.translator.x86.observed import Observed, observe_hardware
from tests.translator.x86.vendors import DIFFERENCES, DOT_DOUBLES, DOT_SINGLES, Difference


def _cpuinfo(field: str) -> str:
    path = Path("/proc/cpuinfo")
    match = re.search(rf"^{field}\s*: (.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return match[1] if match else ""


IS_AMD: Final = _cpuinfo("vendor_id") in ("AuthenticAMD", "HygonGenuine")
_FEATURES: Final = ("", *_cpuinfo("flags").split())
_BUGS: Final = ("", *_cpuinfo("bugs").split())
_FAMILY: Final = int(_cpuinfo("cpu family") or 0)


def _is_here(one: Difference) -> bool:
    is_so = ("hypervisor" in _FEATURES or not one.virtual) and one.bug in _BUGS
    return IS_AMD and is_so and _FAMILY in one.families


HERE: Final = tuple(filter(_is_here, DIFFERENCES))
_STAND_INS: Final = tuple((one, one.stand_in) for one in HERE if one.stand_in)
_TOLD: Final = tuple((one, one.told) for one in HERE if one.told)
_UNDEFINED: Final = tuple(one for one in HERE if one.undefined)
ACCEPTED_HERE: Final = tuple(
    one for one in ACCEPTED if IS_AMD and one.feature in _FEATURES and _FAMILY in one.families
)
"""The rows that are true of the host."""
NOT_IN_SEQUENCES: Final = frozenset((*DOT_SINGLES, *DOT_DOUBLES) if IS_AMD else ())
"""Names of rows of whose results this host cannot tell all, so that what is computed from them cannot be compared."""


def lacks(row: Description) -> str:
    """The extension of a row that this host does not have, so that it cannot tell what the row does; or nothing."""
    if row.extension not in FEATURES or not _FEATURES[1:]:
        return ""
    name = LINUX_NAMES.get(row.extension, row.extension)
    return "" if set(name.split()) & set(_FEATURES) or not name else row.extension


def case_to_run(run: Execution) -> Case:
    """The case that on this host does what the execution's does on a processor of Intel's."""
    for one, stand_in in _STAND_INS:
        if one.applies(run):
            return replace(run.case, code=stand_in(run))
    return run.case


def observe_host(oracle: Oracle, runs: Sequence[Execution]) -> list[Observed | None]:
    """What the host CPU leaves of each case, told as one of Intel's would leave it; None if it cannot tell."""
    return [told(run, observe_hardware(result)) for run, result in zip(runs, run_all(oracle, runs), strict=True)]


def run_all(oracle: Oracle, runs: Sequence[Execution]) -> list[Result]:
    """What the host CPU leaves of each case, or of what does here what the case does on a processor of Intel's."""
    return oracle.run([case_to_run(run) for run in runs])


def tells_otherwise(run: Execution) -> bool:
    """Whether what the host CPU leaves of a case is not what one of Intel's would leave."""
    return any(one.applies(run) for one, _ in _TOLD)


def told(run: Execution, seen: Observed | None) -> Observed | None:
    """What the host CPU left of a case, told as one of Intel's would leave it; None if it cannot tell."""
    for one, tell in _TOLD:
        if seen is not None and one.applies(run):
            seen = tell(run, seen)
    return seen


def undefined(run: Execution) -> int:
    """What of an execution this host cannot tell: bits as in observed.py."""
    bits = 0
    for one in _UNDEFINED:
        if one.applies(run):
            bits |= one.undefined
    return bits


def accepted_here(code: bytes) -> bool:
    """Whether the host takes an encoding that is undefined on Intel's processors."""
    return any(one.matches(code) for one in ACCEPTED_HERE)
