"""What a policy says, and that every system call is spoken of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metaphrase.machines.linux.abi import ABIS
from metaphrase.machines.linux.calls import COMPAT_CALLS, SYSTEM_CALLS
from metaphrase.machines.linux.confinement import Confinement, rights
from metaphrase.machines.linux.confinement.declare import CONFINED, CONFINED_COMPAT
from metaphrase.machines.linux.confinement.rules import Rules
from metaphrase.machines.linux.policy import (
    Access,
    Limits,
    Policy,
    PolicyError,
    Reach,
    find_policy,
    parse,
    presets,
)
from metaphrase.machines.linux.strace import COMPAT_SIGNATURES, SIGNATURES

CLASSES = {
    "64": (SYSTEM_CALLS, CONFINED, rights.NAMES, rights.NOTHING, rights.REFUSED),
    "32": (COMPAT_CALLS, CONFINED_COMPAT, rights.COMPAT_NAMES, rights.COMPAT_NOTHING, rights.COMPAT_REFUSED),
}


@pytest.mark.parametrize("words", CLASSES)
def test_every_call_has_one_class(words: str) -> None:
    calls, *classes = CLASSES[words]
    for name in calls:
        assert sum(name in found for found in classes) == 1, f"{name}: say in confinement what it may reach"
    for found in classes:
        assert set(found) <= set(calls), "these are no calls"


@pytest.mark.parametrize("words", CLASSES)
def test_handlers_take_the_arguments_of_their_calls(words: str) -> None:
    calls, own, named, _, _ = CLASSES[words]
    for name, handler in own.items():
        assert handler.__code__.co_argcount - 1 == calls[name].arity, name
    for name, described in named.items():
        assert len(described.partition("->")[0].split()) == calls[name].arity, name


def test_descriptors_are_where_strace_has_them() -> None:
    for named, signatures in ((rights.NAMES, SIGNATURES), (rights.COMPAT_NAMES, COMPAT_SIGNATURES)):
        both = named.keys() & signatures.keys()
        assert both
        for name in both:
            described = [word.startswith("fd") for word in named[name].partition("->")[0].split()]
            told = [word == "fd" for word in signatures[name].split()]
            assert [a for a, _ in zip(described, told)] == [b for _, b in zip(described, told)], name


def test_calls_without_a_class_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "NOTHING", rights.NOTHING - {"getpid"})
    monkeypatch.setattr(rights, "COMPAT_NOTHING", rights.COMPAT_NOTHING - {"nanosleep"})
    confinement = Confinement(Policy())
    try:
        for name, compat in (("getpid", False), ("getpid", True), ("nanosleep", True)):
            call = confinement.find_call(name, compat=compat)
            assert call is not None and call.arity == 0
            assert call.handler(None) == -1
        assert confinement.find_call("quotactl", compat=False) is None
    finally:
        confinement.close()


@pytest.mark.parametrize("guest", ABIS)
def test_every_call_of_every_guest_is_answered(guest: str) -> None:
    abi = ABIS[guest]
    confinement = Confinement(Policy())
    try:
        found = [confinement.find_call(name, compat=abi.word == 4) for name in abi.numbers.values()]
        assert sum(call is not None for call in found) > 200
    finally:
        confinement.close()


def test_a_kept_folder_is_one_runs_alone(tmp_path: Path) -> None:
    policy = Policy(keep=str(tmp_path / "kept"))
    first = Confinement(policy)
    with pytest.raises(PolicyError, match="another run has the folder"):
        Confinement(policy)
    first.close()
    again = Confinement(policy)
    again.close()
    again.close()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").touch()
    with pytest.raises(PolicyError, match="the folder holds 'mine'; name a new one"):
        Confinement(Policy(keep=str(tmp_path / "other")))


def test_presets() -> None:
    assert presets() == ("caller", "sandbox")
    assert find_policy(None) is find_policy("caller") is None
    sandbox = find_policy("sandbox")
    assert sandbox is not None and sandbox.network is Reach.NONE and sandbox.files["/usr"] is Access.READ
    assert Access.WRITE not in sandbox.files.values()
    assert all(path.startswith("/dev/") for path, access in sandbox.files.items() if access is Access.USE)


def test_a_file_says_all_that_a_policy_is(tmp_path: Path) -> None:
    policy = parse(
        """
        processes = 3
        network = "loopback"
        keep = "/somewhere"
        [files]
        "/usr" = "read"
        "~/in \\" out" = "overlay"
        "é" = "scratch"
        [limits]
        address_space = "2 GiB"
        open_files = 20
        cpu_time = 1.5
        file_size = 4096
        """
    )
    assert policy == Policy(
        files={"/usr": Access.READ, '~/in " out': Access.OVERLAY, "é": Access.SCRATCH},
        network=Reach.LOOPBACK,
        processes=3,
        limits=Limits(2 << 30, 20, 1.5, 4096),
        keep="/somewhere",
    )
    path = tmp_path / "policy.toml"
    path.write_text(policy.text())
    assert find_policy(path) == find_policy(policy) == policy
    assert parse(parse("processes = false").text()).processes is None


def test_a_preset_can_be_added_to() -> None:
    policy = parse('preset = "sandbox"\nlimits.cpu_time = 2\nlimits.open_files = false\nfiles."/srv" = "write"')
    sandbox = find_policy("sandbox")
    assert sandbox is not None
    assert policy.files == {**sandbox.files, "/srv": Access.WRITE}
    assert policy.limits.cpu_time == 2 and policy.limits.open_files is None
    assert policy.limits.address_space == sandbox.limits.address_space


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("files = 3", "policy: files = 3: write a table of paths"),
        ('files."/usr" = "reed"', "policy: files.'/usr' = 'reed': write one of hidden, read, use, overlay, scratch"),
        ('[files]\n"" = "read"', "policy: files.'': a path is not empty"),
        ('network = "some"', "policy: network = 'some': write one of none, loopback, all"),
        ("network = []", "policy: network = []: write one of none, loopback, all"),
        ("processes = 0", "policy: processes = 0: write a number from 1, or false"),
        ("processes = true", "policy: processes = True: write a number from 1"),
        ("limits = 1", "policy: limits = 1: write a table"),
        ("[limits]\nmemory = 1", "policy: limits.memory: there is no such limit; there are address_space, open_files"),
        ('[limits]\nfile_size = "4 GB"', "policy: limits.file_size = '4 GB': write a number of bytes"),
        ("[limits]\ncpu_time = -1", "policy: limits.cpu_time = -1: write a number of seconds"),
        ("[limits]\naddress_space = true", "policy: limits.address_space = True: write a number of bytes"),
        ("keep = 1", "policy: keep = 1: write a path"),
        ('preset = "caller"', "policy: preset = 'caller': write one of sandbox"),
        ("proceses = 1", "policy: there is no 'proceses'; there are preset, files, network"),
        ("processes = ", "policy: Invalid value"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(PolicyError, match="^" + re.escape(says)) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_nothing() -> None:
    with pytest.raises(PolicyError, match=r"policy sandbx: it is neither a preset \(caller, sandbox\) nor a file"):
        find_policy("sandbx")


def test_the_longest_path_counts_and_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    rules = Rules({f"{tmp_path}/link": Access.READ, f"{tmp_path}/real/inner": Access.WRITE, "/": Access.HIDDEN})

    def access(path: Path) -> Access:
        return rules.access(tuple(part.encode() for part in path.resolve(strict=False).parts[1:]))

    assert access(tmp_path / "real" / "file") is Access.READ
    assert access(tmp_path / "real" / "inner" / "file") is Access.WRITE
    assert access(tmp_path) is Access.HIDDEN
    assert rules.access(tuple(part.encode() for part in (tmp_path / "link").parts[1:])) is Access.READ


def test_the_working_directory_is_never_the_whole_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/")
    rules = Rules({".": Access.OVERLAY, "~": Access.WRITE})
    assert rules.access((b"etc",)) is Access.HIDDEN
    assert Rules({"/": Access.READ}).access((b"etc",)) is Access.READ
