"""Programs meet the CPU model that was asked for: what they choose by it, and what they are told."""

from __future__ import annotations

import os
import re
from itertools import cycle
from pathlib import Path

import pytest

import metaphrase as mp
from metaphrase.benchmarks.building import build
from metaphrase.translator.x86.models import MODELS
from tests.metaphrase.isolated import isolated
from tests.programs.runner import CACHE, environment, metaphrase_command, run

LOADER = "/lib64/ld-linux-x86-64.so.2"
LEVELS = {"qemu64": 1, "core2": 1, "nehalem": 2, "ivybridge": 2, "haswell": 3, "skylake": 3, "max": 3, "max,-bmi2": 2}
"""The microarchitecture levels of the psABI, which the loader finds out by CPUID."""
GUESTS = Path(__file__).parent / "guests"


def levels(cpu: str | None) -> set[int]:
    text = mp.run(LOADER, "--help", cpu=cpu, check=True).text
    return {1, *(int(level) for level in re.findall(r"x86-64-v(\d) \(supported", text))}


@pytest.mark.parametrize("cpu", LEVELS)
def test_the_loader_finds_the_level(cpu: str) -> None:
    assert max(levels(cpu)) == LEVELS[cpu]


def test_without_a_model_all_is_there() -> None:
    assert levels(None) == levels("MAX")


@pytest.mark.parametrize(("cpu", "second"), [("core2", 0), ("ivybridge", 2)])
def test_the_auxiliary_vector_tells_of_the_model(cpu: str, second: int) -> None:
    text = mp.run("/bin/true", cpu=cpu, env={"LD_SHOW_AUXV": "1"}, check=True).text
    vector = dict(re.findall(r"^(AT_\w+):? +(\S+)$", text, re.MULTILINE))
    known = mp.code("x86_64", asm="mov eax, 1; cpuid", cpu=cpu)
    known.run(tier="reference")
    assert int(vector["AT_HWCAP"], 16) == known.registers.rdx
    assert int(vector.get("AT_HWCAP2", "0"), 16) == second and vector["AT_PLATFORM"] == "x86_64"


def test_proc_cpuinfo_tells_of_the_model() -> None:
    text = mp.run("/bin/cat", "/proc/cpuinfo", cpu="westmere", check=True).text
    assert text.count("processor\t: ") == os.cpu_count()
    told = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.MULTILINE))
    assert (told["vendor_id"], told["cpu family"], told["model"]) == ("GenuineIntel", "6", "44")
    assert "X 980" in told["model name"]
    flags = set(told["flags"].split())
    assert {"lm", "pni", "ssse3", "sse4_2", "aes", "pclmulqdq"} <= flags
    assert flags.isdisjoint({"avx", "abm", "xsave", "avx512f", "sse4a"})


@pytest.mark.parametrize(("cpu", "tier"), [*zip(MODELS, cycle(["0", "auto"]), strict=False), ("nehalem", "1")])
def test_a_program_runs_on_every_model(cpu: str, tier: str) -> None:
    program = build(Path(__file__).parents[1] / "programs" / "c" / "strings.c", ["-O2"], folder=CACHE)
    want = run([program])
    got = run([*metaphrase_command("run", "--cpu", cpu, "--tier", tier), program])
    assert (got.status, got.stdout, got.stderr) == (want.status, want.stdout, want.stderr)


@pytest.mark.parametrize(
    ("cpu", "told"),
    [
        ("max", "avx 1 xsave 1 frame 1 components 7 magic 1\nymm changed\n"),
        ("sandybridge,-avx", "avx 0 xsave 1 frame 1 components 3 magic 1\nxmm changed\n"),
        ("nehalem", "avx 0 xsave 0 frame 0 components 0 magic 0\nxmm changed\n"),
    ],
)
def test_signal_frames_hold_the_state_that_there_is(cpu: str, told: str) -> None:
    program = build(GUESTS / "frames.c", ["-O1", "-static"], folder=CACHE)
    for tier in ("0", "auto"):
        assert mp.run(program, cpu=cpu, tier=tier, check=True).text == told, tier


def test_regions_of_other_models_are_not_taken(tmp_path: Path) -> None:
    """The same code, hot on several CPUs that share a cache; what all decode alike, they share."""
    program = build(GUESTS / "leading_zeros.c", ["-O1", "-static", "-mlzcnt", "-mbmi"], folder=CACHE)
    env = environment(METAPHRASE_CACHE_DIR=str(tmp_path))
    said: dict[str, str] = {}
    for cpu in ("haswell", "nehalem", "max", "haswell", "nehalem"):
        result = mp.run(program, cpu=cpu, tier="1", env=env, check=True)
        assert said.setdefault(cpu, result.text) == result.text
        assert result.statistics.regions + result.statistics.regions_cached > 0
    assert said["haswell"] == said["max"] != said["nehalem"]
    again = mp.run(program, cpu="nehalem", tier="1", env=env, check=True).statistics
    assert again.regions == 0 and again.regions_cached > 0


def test_a_death_by_what_the_model_lacks() -> None:
    program = build(GUESTS / "leading_zeros.c", ["-O1", "-static", "-mavx2", "-DVECTORS"], folder=CACHE)
    for tier in ("0", "1", "auto"):  # the reference takes a minute to get there
        assert mp.run(program, cpu="sandybridge", tier=tier).status == 128 + 4, tier
    assert mp.run(program, cpu="haswell", check=True).status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--cpu", "pentium", "/bin/true"), ("'pentium'", "nehalem", "max")),
        (("run", "--cpu=max,+avx512f", "/bin/true"), ("'avx512f'", "not implemented")),
        (("explain", "--cpu", "haswell,-foo", "x86_64", "90"), ("'foo'", "not implemented", "avx2")),
        (("explain", "--cpu", "nehalem", "x86_64", "c5f5fec2"), ("vpaddd", "avx2", "lacks")),
        (("explain", "--cpu", "max", "riscv64", "01 00"), ("riscv64", "no CPU models")),
    ],
)
def test_errors_of_the_command_line(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    got = run(metaphrase_command(*arguments))
    said = got.stderr.decode()
    assert got.status in (2, 125) and said.startswith("metaphrase: ") and said.count("\n") == 1, said
    assert all(word in said for word in words), said


def test_explain_shows_what_the_model_makes_of_code() -> None:
    for cpu, name in (("haswell", "lzcnt"), ("nehalem", "bsr")):
        got = run(metaphrase_command("explain", "--cpu", cpu, "x86_64", "f3 0f bd c1"))
        assert f"{name} eax, ecx" in got.stdout.decode()


@isolated
def test_a_loaded_program_has_the_model() -> None:
    with mp.load("/bin/true", cpu="nehalem") as process:
        assert process.run() == 0 and process.guest.models == tuple(MODELS)
    with pytest.raises(mp.MetaphraseError, match="no CPU model"):
        mp.load("/bin/true", cpu="6502")
