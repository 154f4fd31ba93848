"""The instructions of x86 that are not described in a mode, and why. Each gives #UD, as on a processor without it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from metaphrase.translator.x86.table import LEGACY, LONG, SIZES


@dataclass(frozen=True, slots=True)
class Absent:
    """Some instructions that are not there for one reason; `names` are patterns over capstone's text of them."""

    what: str
    names: tuple[str, ...]
    reason: str
    modes: tuple[int, ...] = SIZES


_NOT_ANNOUNCED: Final = "CPUID does not announce it, and programs that do not ask do not use it."
_OTHER_MAKERS: Final = "Neither Intel's processors nor AMD's recent ones have it."

ABSENT: Final = (
    Absent("AVX-512's mask registers", ("k[acmnostux]*",), _NOT_ANNOUNCED),
    Absent("what a prefix of 62 (EVEX: AVX-512, AVX10) begins", (), _NOT_ANNOUNCED),
    Absent("AMX, AVX-VNNI", ("ldtilecfg*", "sttilecfg*", "tile*", "tdp*"), _NOT_ANNOUNCED),
    Absent("TSX", ("xbegin*", "xabort*", "xtest"),
           "Transactions would abort every time, which programs must be ready for; they ask CPUID first."),
    Absent("shadow stacks (CET)", ("incssp*", "rstorssp*", "setssbsy*", "clrssbsy*", "wrss*", "wruss*"),
           _NOT_ANNOUNCED),
    Absent("direct stores, enqueued commands", ("movdiri*", "movdir64b*", "enqcmd*"), _NOT_ANNOUNCED),
    Absent("user waits, PTWRITE, SERIALIZE", ("tpause*", "umonitor*", "umwait*", "ptwrite*", "serialize*"),
           _NOT_ANNOUNCED),
    Absent("protection keys", ("rdpkru*", "wrpkru*"), "Pages have no keys; not announced."),
    Absent("loads of segment registers", ("mov ?s,*", "pop ?s", "lfs*", "lgs*", "lss*"),
           "Segments are flat, and the bases of FS and GS are set by system calls or WRFSBASE.", LONG),
    Absent("far calls, jumps and returns", ("call ptr*", "lcall*", "jmp ptr*", "ljmp*", "retf*", "iret*"),
           "There is one code segment; user programs of 64 bits do not leave it.", LONG),
    Absent("looks into descriptors", ("lar*", "lsl*", "verr*", "verw*"), "There are no descriptor tables."),
    Absent("FSTPNCE", ("fstpnce*",), "Assemblers do not write this alias of FSTP; Intel documents no use of it."),
    Absent("SYSENTER", ("sysenter*",), "Linux takes it from programs of 32 bits only, and from its own vDSO there."),
    Absent("SYSCALL in 32-bit modes", ("syscall",), "Intel's processors have it in 64-bit mode only.", LEGACY),
    Absent("monitors of the kernel", ("monitor", "monitorx", "mwait*"), "Privileged on Intel's processors, or AMD's."),
    Absent("SGX, VMX, SMX, SVM",
           ("encl?", "vmcall", "vmclear*", "vmfunc", "vmlaunch", "vmload*", "vmmcall", "vmptr*", "vmread*", "vmresume",
            "vmrun*", "vmsave*", "vmwrite*", "vmxo*", "invept*", "invvpid*", "getsec", "clgi", "stgi", "invlpga*",
            "skinit*"),
           "For hypervisors, enclaves and firmware."),
    Absent("system management", ("rsm", "clac", "stac", "invpcid*", "pconfig", "wbnoinvd"),
           "Privileged: they would fault."),
    Absent("3DNow!", ("femms", "pavgusb*", "pf*", "pi2f*", "pmulhrw *", "pswapd*"), _OTHER_MAKERS),
    Absent("SSE4a, CLZERO", ("extrq*", "insertq*", "movntsd*", "movntss*", "clzero"),
           "Only AMD's processors have it; the guest is one of Intel's."),
    Absent("FMA4, XOP", ("vf[mn]*addp? *", "vf[mn]*adds? *", "vf[mn]*subp? *", "vf[mn]*subs? *", "vfmaddsubp? *",
                         "vfmsubaddp? *", "vpermil2p?*"), _OTHER_MAKERS),
    Absent("VIA's PadLock", ("xstore*", "xcrypt*", "xsha*", "montmul"), _OTHER_MAKERS),
)  # fmt: skip


def why_absent(text: str, mode: int) -> Absent | None:
    """The entry that an instruction of a mode belongs to, given as capstone shows it, if it is listed."""
    text = text.removeprefix("bnd ")
    for entry in ABSENT:
        named = any(fnmatchcase(text, name) or fnmatchcase(text.split(" ")[0], name) for name in entry.names)
        if named and mode in entry.modes:
            return entry
    return None
