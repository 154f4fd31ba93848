"""Policies by name, for the command line and the library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metaphrase.machines.linux.confinement import Confinement
    from metaphrase.machines.linux.policy import Policy


def confined(
    policy: Policy | str | os.PathLike[str] | None, sysroot: str | os.PathLike[str] | None = None
) -> Confinement | None:
    """What holds a process to a policy; None for the caller's own rights, which need nothing."""
    if policy is None:
        return None
    # Most programs run without.
    from metaphrase.machines.linux.confinement import Confinement
    from metaphrase.machines.linux.policy import find_policy

    found = find_policy(policy)
    return None if found is None else Confinement(found, None if sysroot is None else os.fspath(sysroot))
