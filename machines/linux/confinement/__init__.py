"""Holding a guest process to a policy.

A confined process answers each system call in one of three ways: as all others do, once its descriptors and process ids
were found to be the guest's (`rights`); by a handler of its own (`files`, `sockets`, ...), for calls that take paths or
addresses or make descriptors; or not at all. A call that nobody has thought of is refused. Nothing is asked for a
process without a policy.
"""

from __future__ import annotations

from metaphrase.machines.linux.confinement import (
    attributes,
    files,
    folders,
    handles,
    life,
    names,
    narrow,
    sockets,
)
from metaphrase.machines.linux.confinement.confinement import Confinement

TOPICS = (attributes, files, folders, handles, life, names, narrow, sockets)
"""Importing them declares their calls."""

__all__ = ["TOPICS", "Confinement"]
