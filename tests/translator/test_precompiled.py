"""What an installation brings along: handlers that are found beneath an empty cache, and never written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from metaphrase.backends.llvm.codecache import CodeCache
from metaphrase.ir.errors import MetaphraseError
from metaphrase.registry import find_guest
from metaphrase.translator.engine import precompiled
from metaphrase.translator.engine.cache import Cache, folder_name
from metaphrase.translator.engine.handlers import Handlers
from metaphrase.translator.guest import Guest


@pytest.fixture
def x86(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    """The guest, with few common forms that are to be precompiled into a folder of the test's."""
    guest = find_guest("x86_64")
    names = (guest.common_forms or Path()).read_text().split("\n")
    few = tmp_path / "few.txt"
    few.write_text("\n".join(names[:40]))
    monkeypatch.setattr(guest, "common_forms", few, raising=False)
    monkeypatch.setattr(precompiled, "FOLDER", tmp_path / "installed")
    return guest


def test_common_forms_exist() -> None:
    guest = find_guest("x86_64")
    assert len(precompiled.common_forms(guest)) > 1000


def test_precompiled_forms_need_no_cache(x86: Guest, tmp_path: Path) -> None:
    forms = precompiled.common_forms(x86)
    assert precompiled.precompile(x86) == len(forms) == 40
    with CodeCache(8 << 20) as code:
        cache = Cache(x86.name, tmp_path / "empty", installed=precompiled.FOLDER)
        assert cache.load_image("runtime") is not None
        handlers = Handlers(x86, len(x86.rows), code, cache)
        handlers.ensure(forms)
        assert (handlers.compiled, handlers.loaded) == (0, 40)
        handlers.pack()
    assert not any(name.is_file() for name in (tmp_path / "empty").rglob("handlers/*.img")), "nothing is copied"


def test_precompiling_again_leaves_one_set(x86: Guest) -> None:
    precompiled.precompile(x86)
    (precompiled.FOLDER / "x86_64-of-another-host").mkdir()
    precompiled.precompile(x86)
    assert [path.name for path in precompiled.FOLDER.glob("x86_64-*")] == [folder_name(x86.name)]


def test_what_is_common_is_learnt_from_a_cache(x86: Guest, tmp_path: Path) -> None:
    assert x86.common_forms is not None
    names = x86.common_forms.read_text().split("\n")
    precompiled.precompile(x86)
    x86.common_forms.write_text("\n".join(names[:30]))
    assert precompiled.learn(x86, precompiled.FOLDER) == 10
    assert x86.common_forms.read_text().split() == "\n".join(names).split()


def test_a_form_that_is_gone_is_named(x86: Guest) -> None:
    assert x86.common_forms is not None
    x86.common_forms.write_text("frobnicate|FF /9|0\n")
    with pytest.raises(MetaphraseError, match="no form 'frobnicate"):
        precompiled.common_forms(x86)
