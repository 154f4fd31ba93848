"""Importing what is slow to import only once it is wanted, by whichever thread wants it.

Python holds a lock for each module that a thread imports. The child of a fork has no such thread, and would wait for
that lock for ever; so a fork waits until nothing is being imported. The same goes for what is computed once behind a
lock, as `functools.cached_property` of Python 3.11 does.
"""

from __future__ import annotations

import os
import threading
from typing import Final

IMPORTING: Final = threading.RLock()
"""Held while a thread of the engine imports, and across forks: `with IMPORTING: from ... import ...`."""

os.register_at_fork(before=IMPORTING.acquire, after_in_parent=IMPORTING.release, after_in_child=IMPORTING.release)
