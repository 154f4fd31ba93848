"""What all tests share: one fresh folder for the persistent code cache, so that no earlier version's code is run."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from metaphrase.translator.engine import precompiled
from metaphrase.translator.mechanisms import VARIABLE, left_out

CACHE_VARIABLE = "METAPHRASE_CACHE_DIR"
_made: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    # Many tests make programs die; their core files would only fill the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # In the background of a shell, this is ignored; programs that are to be interrupted would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # xdist workers inherit the variable from the process that starts them, and so share the folder.
    if CACHE_VARIABLE not in os.environ:
        os.environ[CACHE_VARIABLE] = tempfile.mkdtemp(prefix="metaphrase-test-cache-")
        _made.append(os.environ[CACHE_VARIABLE])


@pytest.fixture
def nothing_precompiled(tmp_path: Path) -> Iterator[None]:
    """An empty cache holds nothing: no handlers that lie beside the package, here and in processes begun from here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "precompiled")
        patch.setattr(precompiled, "FOLDER", tmp_path / "nothing")
        left_out.cache_clear()
        yield
    left_out.cache_clear()


def pytest_unconfigure(config: pytest.Config) -> None:
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)
