"""Effects to LLVM: guest state and memory, atomics, the runtime's own memory; floating point stands in `floating`.

Guest memory is addressed through the GS segment (LLVM's address space 256), whose base is that of the guest's window;
every access first checks that the address lies inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from metaphrase.backends.llvm import context, floating
from metaphrase.backends.llvm.floating import Lowering
from metaphrase.backends.llvm.pure import Lines, constant, llvm_type, operand, suffix
from metaphrase.ir.graph import Value

if TYPE_CHECKING:
    from metaphrase.backends.llvm.lower import FunctionLowering


# --- guest memory -------------------------------------------------------------------------------------------------
def load(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    text = llvm_type(value.type)
    pointer = f.guest_pointer(value, args[0], result, False, out)
    if value.type.bits == 1:
        f.write_back_shadows(value, out)
        out.append(f"{result}.b = load volatile i8, ptr addrspace(256) {pointer}, align 1")
        out.append(f"{result} = trunc i8 {result}.b to i1")
    elif not f.guard_load(value, result, out):
        out.append(f"{result} = load volatile {text}, ptr addrspace(256) {pointer}, align 1")


def store(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    pointer = f.guest_pointer(value, args[0], result, True, out)
    stored = value.args[1].type
    text, source = llvm_type(stored), args[1]
    if stored.bits == 1:
        f.write_back_shadows(value, out)
        out.append(f"{result}.b = zext i1 {source} to i8")
        text, source = "i8", f"{result}.b"
    if stored.bits == 1 or not f.guard_store(value, source, result, out):
        out.append(f"store volatile {text} {source}, ptr addrspace(256) {pointer}, align 1")


_RMW = {"add": "add", "sub": "sub", "and": "and", "or": "or", "xor": "xor", "xchg": "xchg",
        "smin": "min", "smax": "max", "umin": "umin", "umax": "umax"}  # fmt: skip


def rmw(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    pointer = f.guest_pointer(value, args[0], result, True, out)
    f.write_back_shadows(value, out)
    text = llvm_type(value.type)
    operation = f"{_RMW[value.imm]} ptr addrspace(256) {pointer}, {text} {args[1]}"
    out.append(f"{result}.old = atomicrmw volatile {operation} seq_cst")
    # LLVM makes LOCK BTR and the like from an atomic operation and a test of its result, and loses the address space
    # over it: the access would reach host memory. It does not look through inline assembly.
    out.append(f'{result} = call {text} asm "", "=r,0,~{{flags}}"({text} {result}.old)')


def cmpxchg(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    pointer = f.guest_pointer(value, args[0], result, True, out)
    f.write_back_shadows(value, out)
    text = llvm_type(value.type)
    values = f"{text} {args[1]}, {text} {args[2]}"
    out.append(f"{result}.pair = cmpxchg volatile ptr addrspace(256) {pointer}, {values} seq_cst seq_cst")
    out.append(f"{result} = extractvalue {{{text}, i1}} {result}.pair, 0")


def fence(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append("fence seq_cst")


def cycles(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    f.module.declare("declare i64 @llvm.readcyclecounter()")
    out.append(f"{result} = call i64 @llvm.readcyclecounter()")


_GETRANDOM: Final = 318
"""The number of the system call; it always fills so few bytes."""


def random(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    host = f.pointer(f"{result}.host", context.SCRATCH, out)
    code = 'asm sideeffect "syscall", "={ax},{ax},{di},{si},{dx},~{rcx},~{r11},~{memory},~{flags}"'
    out.append(f"{result}.done = call i64 {code}(i64 {_GETRANDOM}, ptr {host}, i64 8, i64 0)")
    out.append(f"{result} = load i64, ptr {host}")


# --- state, locals, the runtime's memory --------------------------------------------------------------------------
def get(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    pointer = f.state_pointer(value.imm, value.type, result, out)
    out.append(f"{result} = load {llvm_type(value.type)}, ptr {pointer}, align 1")


def put(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    stored = value.args[0].type
    pointer = f.state_pointer(value.imm, stored, result, out)
    out.append(f"store {llvm_type(stored)} {args[0]}, ptr {pointer}, align 1")


def get_at(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result}.p = getelementptr i8, ptr %state, i64 {args[0]}")
    out.append(f"{result} = load {llvm_type(value.type)}, ptr {result}.p, align 1")


def put_at(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result}.p = getelementptr i8, ptr %state, i64 {args[0]}")
    out.append(f"store {llvm_type(value.args[1].type)} {args[1]}, ptr {result}.p, align 1")


def peek(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result}.p = inttoptr i64 {args[0]} to ptr")
    out.append(f"{result} = load {llvm_type(value.type)}, ptr {result}.p, align 1")


def poke(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result}.p = inttoptr i64 {args[0]} to ptr")
    out.append(f"store {llvm_type(value.args[1].type)} {args[1]}, ptr {result}.p, align 1")


def read(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"{result} = load {llvm_type(value.type)}, ptr %local{value.imm}")


def write(f: FunctionLowering, value: Value, result: str, args: list[str], out: Lines) -> None:
    out.append(f"store {llvm_type(value.args[0].type)} {args[0]}, ptr %local{value.imm}")


EFFECTS: Final[dict[str, Lowering]] = {
    **floating.EFFECTS,
    "load": load, "store": store, "near_load": load, "near_store": store,
    "rmw": rmw, "cmpxchg": cmpxchg, "fence": fence, "cycles": cycles,
    "random": random,
    "get": get, "put": put, "get_at": get_at, "put_at": put_at, "peek": peek, "poke": poke,
    "read": read, "write": write,
}  # fmt: skip

__all__ = ["EFFECTS", "constant", "operand", "suffix"]
