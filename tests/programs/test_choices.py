"""Libraries that choose their code by CPUID compute translated what they compute natively, whatever they choose.

`make test` takes a slice of the models and of their own switches; METAPHRASE_TEST_FULL=1 all of them. Where what is
computed depends on the choice, as it does with floating point, the native run is told by the library's own switches to
choose as it would on the model.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from tests.programs.runner import CACHE, FULL, OTHER_RUNNER, assert_same, environment, native, translated

LIBRARIES = Path(__file__).parent / "libraries"
LONG = 600.0

# --- OpenSSL ----------------------------------------------------------------------------------------------------------
MASKS = {
    "none": "", "no AES-NI, PCLMULQDQ": "~0x200000200000000", "no AVX": "~0x1000000000000000", "no SHA": ":~0x20000000",
    "nothing of leaf 7": ":0", "nothing": "0:0",
}  # fmt: skip
"""$OPENSSL_ia32cap: what OpenSSL is not to believe of CPUID."""
CIPHERS = [("max", mask, "auto") for mask in MASKS] + [
    (cpu, "none", "auto")
    for cpu in ("qemu64", "core2", "nehalem", "westmere", "sandybridge", "ivybridge", "haswell", "broadwell", "skylake",
                "max,-avx", "max,-avx2", "max,-aes", "max,-sha", "max,-bmi2", "max,-adx")
]  # fmt: skip
CIPHERS += [(cpu, mask, tier) for cpu, mask, _ in CIPHERS for tier in ("0", "1")]
QUICK_CIPHERS = (
    ("max", "none", "0"), ("max", "none", "auto"), ("max", "nothing", "auto"), ("westmere", "none", "auto"),
    ("core2", "none", "auto"), ("max,-sha", "none", "auto"),
)  # fmt: skip


@pytest.mark.parametrize(("cpu", "mask", "tier"), CIPHERS if FULL else QUICK_CIPHERS)
def test_openssl(cpu: str, mask: str, tier: str) -> None:
    program = build(LIBRARIES / "ciphers.c", ["-O2", "-Wl,--no-as-needed", "-l:libcrypto.so.3"], folder=CACHE)
    env = environment(OPENSSL_ia32cap=MASKS[mask]) if MASKS[mask] else environment()
    want = native([program], env=environment())
    assert want.stdout.count(b"wrong 0,") == 7
    got = translated([program], tier, *options(cpu), env=env, timeout=LONG)
    assert_same(want, got, f"OpenSSL on {cpu}, mask {mask}, tier {tier}")


def options(cpu: str) -> list[str]:
    """Those of `metaphrase run`; another runner has its own idea of a CPU."""
    return [] if OTHER_RUNNER else ["--cpu", cpu]


# --- FFmpeg and its encoders ------------------------------------------------------------------------------------------
QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error")
ONE_FILTER = ("-filter_threads", "1", "-filter_complex_threads", "1")
VIDEO = ("-f", "lavfi", "-i", "testsrc2=size=176x144:rate=10:duration=1")
AUDIO = ("-f", "lavfi", "-i", "aevalsrc='0.3*sin(2*PI*440*t)|0.2*sin(2*PI*(300+200*t)*t)':s=48000:d=1")
X264 = ("-c:v", "libx264", "-x264-params", "threads=1:lookahead-threads=1")
JOBS = {
    "x264": (*VIDEO, *X264),
    "x264 slow": (*VIDEO, *X264, "-preset", "slow", "-crf", "20"),
    "mpeg2": (*VIDEO, "-c:v", "mpeg2video"),
    "mpeg4": (*VIDEO, "-c:v", "mpeg4"),
    "vp8": (*VIDEO, "-c:v", "libvpx", "-b:v", "200k"),
    "ffv1": (*VIDEO, "-c:v", "ffv1"),
    "mjpeg": (*VIDEO, "-c:v", "mjpeg"),
    "huffyuv": (*VIDEO, "-c:v", "huffyuv", "-pix_fmt", "yuv422p"),
    "scale": (*VIDEO, "-vf", "scale=320:200:flags=bicubic+accurate_rnd+bitexact,format=rgb24"),
    "scale fast": (*VIDEO, "-vf", "scale=320:200:flags=lanczos,format=rgb24"),
    "filters": (*VIDEO, "-vf", "hqdn3d,unsharp,eq=contrast=1.2,boxblur=2,format=yuv420p"),
    "blur": (*VIDEO, "-vf", "yadif,gblur=2,noise=alls=10:allf=t:all_seed=3"),
    "overlay": (*VIDEO, "-filter_complex",
                "[0:v]split[a][b];[b]scale=80:60:flags=bitexact,hflip[c];[a][c]overlay=10:10,format=yuv444p"),
    "aac": (*AUDIO, "-c:a", "aac"),
    "ac3": (*AUDIO, "-c:a", "ac3_fixed"),
    "flac": (*AUDIO, "-c:a", "flac"),
    "mp3": (*AUDIO, "-c:a", "libmp3lame"),
    "resample": (*AUDIO, "-af", "aresample=44100", "-c:a", "pcm_s16le"),
}  # fmt: skip
"""All that compute with one thread; libopus is not among them, for it takes RCPPS, which every maker rounds its own
way."""
OLDEST = "mmx+mmxext+cmov+sse+sse2+sse3+ssse3+sse4.1"
CPU_FLAGS = {
    "core2": OLDEST,
    "nehalem": f"{OLDEST}+sse4.2",
    "sandybridge": f"{OLDEST}+sse4.2+aesni+avx",
    "haswell": f"{OLDEST}+sse4.2+aesni+avx+avx2+fma3+bmi1+bmi2",
    "max": f"{OLDEST}+sse4.2+aesni+avx+avx2+fma3+bmi1+bmi2",
}
"""What FFmpeg finds on a model; its option takes just those that are named."""
QUICK_JOBS = (("x264", "max"), ("filters", "core2"), ("aac", "haswell"))


@pytest.mark.parametrize(("job", "cpu"), [(job, cpu) for cpu in CPU_FLAGS for job in JOBS] if FULL else QUICK_JOBS)
def test_ffmpeg(job: str, cpu: str) -> None:
    def command(*flags: str) -> list[str]:
        return ["/usr/bin/ffmpeg", *QUIET, *ONE_FILTER, *flags, *JOBS[job], "-threads", "1", "-f", "framemd5", "-"]

    want = native(command("-cpuflags", CPU_FLAGS[cpu]), env=environment())
    assert want.status == 0 and want.stdout.count(b"\n") > 10, want
    assert_same(want, translated(command(), "auto", *options(cpu), env=environment(), timeout=LONG), f"{job} on {cpu}")


# --- the C library's mathematics, and NumPy ---------------------------------------------------------------------------
AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
WITHOUT = {
    "max": (AVX512, ""),
    "haswell": (AVX512, ""),
    "sandybridge": (f"F16C FMA3 AVX2 {AVX512}", "-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable"),
    "core2": (f"POPCNT SSE42 AVX F16C FMA3 AVX2 {AVX512}",
              "-AVX,-AVX2,-FMA,-FMA4,-AVX_Usable,-AVX2_Usable,-FMA_Usable,-FMA4_Usable"),
}  # fmt: skip
"""What NumPy, and the C library's mathematics, do not find on a model."""


@pytest.mark.parametrize("cpu", WITHOUT)
def test_mathematics(cpu: str) -> None:
    program = build(Path(__file__).parent / "c" / "libm.c", ["-O2"], folder=CACHE)
    want = native([program], env=environment(**tunables(cpu)))
    assert_same(want, translated([program], "auto", *options(cpu), env=environment()), f"mathematics on {cpu}")


def tunables(cpu: str) -> dict[str, str]:
    mathematics = WITHOUT[cpu][1]
    return {"GLIBC_TUNABLES": f"glibc.cpu.hwcaps={mathematics}"} if mathematics else {}


@pytest.mark.parametrize("cpu", WITHOUT if FULL else ["max"])
def test_numpy(cpu: str) -> None:
    command = ["/usr/bin/python3", "-W", "ignore", str(LIBRARIES / "arrays.py"), *([] if FULL else ["some"])]
    told = {"NPY_DISABLE_CPU_FEATURES": WITHOUT[cpu][0], **tunables(cpu)}
    want = native(command, env=environment(OPENBLAS_NUM_THREADS="1", **told))
    assert want.status == 0 and want.stdout.count(b"\n") > 100, want
    got = translated(command, "auto", *options(cpu), env=environment(OPENBLAS_NUM_THREADS="1"), timeout=LONG)
    assert_same(want, got, f"NumPy on {cpu}")


OWN_TESTS = (
    "test_cpu_features", "test_cpu_dispatcher", "test_half", "test_longdouble", "test_scalarmath", "test_ufunc",
    "test_umath_complex", "test_umath", "test_simd",
)  # fmt: skip
VERY_LONG = 3000.0


@pytest.mark.skipif(not FULL, reason="many minutes; METAPHRASE_TEST_FULL=1 runs them")
@pytest.mark.parametrize("name", OWN_TESTS)
def test_numpy_by_its_own_tests(name: str) -> None:
    plain = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command = [*plain, "--pyargs", f"numpy.core.tests.{name}"]
    env = environment(OPENBLAS_NUM_THREADS="1")
    want = native(command, env=env, timeout=LONG)
    assert want.status == 0 and b" passed" in want.stdout, want
    got = translated(command, "auto", env=env, timeout=VERY_LONG)
    assert got.status == 0 and b" passed" in got.stdout, got.stdout[-3000:].decode(errors="replace")
