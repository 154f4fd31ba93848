"""Programs of confined processes: found where the guest sees them."""

from __future__ import annotations

import stat
from errno import EACCES, ENOENT, ENOTDIR
from typing import TYPE_CHECKING

from metaphrase.machines.linux.elf import open_program
from metaphrase.machines.linux.errors import STATUS_NOT_EXECUTABLE, STATUS_NOT_FOUND, LoadError
from metaphrase.machines.linux.paths import Paths

if TYPE_CHECKING:
    from metaphrase.machines.linux.confinement.confinement import Confinement

_AT_FDCWD = -100


class ConfinedPaths(Paths):
    """Looks names up in the guest's tree."""

    def __init__(self, confinement: Confinement) -> None:
        super().__init__()
        self._confinement = confinement

    def open_program(self, path: bytes, shown: str) -> tuple[int, bytes]:
        """Open a program or interpreter: a descriptor, and the guest's path for it; LoadError says why not."""
        try:
            with self._confinement.walk(_AT_FDCWD, path) as place:
                status = place.require()
                if not stat.S_ISREG(status.st_mode):
                    return open_program(f"/proc/self/fd/{place.top}", shown), path
                name = b"/" + b"/".join(place.names) if place.descriptor < 0 else path
                return open_program(f"/proc/self/fd/{place.top}", shown), name
        except OSError as error:
            shell = STATUS_NOT_FOUND if error.errno in (ENOENT, ENOTDIR) else STATUS_NOT_EXECUTABLE
            raise LoadError(f"{shown}: cannot be started: {error.strerror}", error.errno or EACCES, shell) from None
