"""IR functions to LLVM text.

Text is written directly, which is much quicker than building it through an object model. A function is lowered as a
tier-0 handler, as a tier-1 region (`region.py`), or as an ordinary C function (decoders, tests).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.effects import EFFECTS
from metaphrase.backends.llvm.host import Host
from metaphrase.backends.llvm.pure import PURE_OPS, WIDE_DIVISION, Lines, PureLowering, llvm_type, operand
from metaphrase.backends.llvm.relations import relations
from metaphrase.ir import record
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.ops import MAY_FAULT
from metaphrase.ir.passes.environment import USES_ENVIRONMENT
from metaphrase.ir.schedule import schedule
from metaphrase.ir.types import VOID, Type

TERMINATORS = frozenset({"jump", "branch", "ret", "next", "goto", "leave"})
LOWERED_OPS = PURE_OPS | frozenset(EFFECTS) | TERMINATORS | {"count", "poll", "checkpoint"}
"""The ops that have a lowering; a test compares them with the table."""

_MAY_STOP = MAY_FAULT | USES_ENVIRONMENT
"""Ops that the host may stop at: it may take a floating-point exception that the guest has unmasked."""
_VALUE_NAME = re.compile(r"%v(\d+)\b")
CONVENTION = "preserve_nonecc"
PRESERVES_NOTHING = '"no_callee_saved_registers"'
"""What makes a function free to use RBP too, the one register that the convention preserves. Nothing that is reached by
tail calls has to preserve it, because `enter` expects nothing of whoever returns there."""
CARRIED = "".join(f", i64 %g{n}" for n in range(context.CARRIED))
NOTHING = ", i64 poison" * context.CARRIED
SIGNATURE = f"(ptr %op, ptr %state{CARRIED})"
METADATA = (
    '!0 = !{!"branch_weights", i32 100000, i32 1}',
    "!1 = !{}",
    '!2 = !{!"branch_weights", i32 1, i32 100000}',
    '!3 = !{!"function_entry_count", i64 1000}',
)


class ModuleWriter:
    """LLVM text of several functions, with the declarations they need."""

    def __init__(self, host: Host, reasons: Mapping[str, int] | None = None) -> None:
        self.host = host
        self.reasons = dict(reasons or {})
        self._declarations: dict[str, None] = {}
        self._bodies: list[str] = []
        self._wide_division = False

    def declare(self, text: str) -> None:
        self._declarations[text] = None

    def need_wide_division(self) -> None:
        self._wide_division = True

    def add(self, body: str) -> None:
        self._bodies.append(body)

    def text(self) -> str:
        """The whole module."""
        parts = self._bodies + ([WIDE_DIVISION] if self._wide_division else [])
        declared = [d for d in self._declarations if not (self._wide_division and d in WIDE_DIVISION)]
        return "\n".join([*declared, *parts, *METADATA, ""])

    def handler(self, function: Function, name: str) -> None:
        """Add `function`, the semantics of one form, as a tier-0 handler."""
        self.add(HandlerLowering(self, function, name).text())

    def function(self, function: Function, name: str) -> None:
        """Add `function` as a C function of its parameters, after the state pointer."""
        self.add(FunctionLowering(self, function, name).text())


def _renamed(lines: Lines, repeated: set[int], suffix: str) -> Lines:
    """Lines in which the values computed in an earlier block too have names of their own."""

    def rename(match: re.Match[str]) -> str:
        return f"{match[0]}.{suffix}" if int(match[1]) in repeated else match[0]

    return [_VALUE_NAME.sub(rename, line) for line in lines]


class Fault(NamedTuple):
    """Where the shared fault block is branched to from."""

    label: str
    checked: str
    displacement: int
    """The address is so far from what was checked."""
    write: bool
    pc: int
    """The instruction's, from the region's base."""


class FunctionLowering:
    """Lowers one function as a C function: (state, arguments...) -> result."""

    def __init__(self, module: ModuleWriter, function: Function, name: str, *, repeat: bool = False) -> None:
        self.module, self.ir, self.name, self.repeat = module, function, name, repeat
        self.pure = PureLowering(module.declare, module.need_wide_division, module.host)
        self.prologue: Lines = []
        self.labels: dict[Block, str] = {}
        self.faults: list[Fault] = []
        self.current = "entry"
        self._names = 0
        self.relations = relations(function)

    # --- what effects ask for --------------------------------------------------------------------------------------
    def pointer(self, name: str, offset: int, out: Lines) -> str:
        """A pointer to the state or context at a byte offset."""
        out.append(f"{name} = getelementptr i8, ptr %state, i64 {offset}")
        return name

    def state_pointer(self, offset: int, type: Type, result: str, out: Lines) -> str:
        """Where `get` and `put` of a type at an offset go."""
        return self.pointer(f"{result}.p", offset, out)

    def fenv_pointer(self, name: str, out: Lines) -> str:
        """Where the guest's floating-point environment is kept while it is not the host's."""
        if self.ir.layout is None or "fenv" not in self.ir.layout.slots:
            raise MetaphraseError(f"{self.name}: the guest's layout has no slot fenv for the environment")
        return self.pointer(name, self.ir.layout["fenv"].offset, out)

    def alloca(self, name: str, type: str) -> str:
        """Stack memory for the whole function."""
        self.prologue.append(f"{name} = alloca {type}")
        return name

    def guest_pointer(self, value: Value, address: str, result: str, write: bool, out: Lines) -> str:
        """A checked pointer into the window. C functions are the engine's own and are trusted with their addresses."""
        return self.unchecked_pointer(address, result, out)

    def checked_pointer(
        self, value: Value, address: str, result: str, write: bool, out: Lines, near: tuple[str, int] | None = None
    ) -> str:
        """Branch elsewhere unless the address lies in the window; then a pointer into it.

        What is checked in its place may be `near` it: what the address is a displacement away from.
        """
        checked, displacement = near or (address, 0)
        pointer = self.pointer(self.fresh("c"), context.WINDOW_SIZE, out)
        out.append(f"{result}.limit = load volatile i64, ptr {pointer}")
        out.append(f"{result}.in = icmp ult i64 {checked}, {result}.limit")
        label, outside = f"v{value.id}.ok", self.outside_window(value, checked, displacement, write)
        out.append(f"br i1 {result}.in, label %{label}, label %{outside}, !prof !0")
        self.current = label
        out.append(f"{label}:")
        return self.unchecked_pointer(address, result, out)

    def outside_window(self, value: Value, checked: str, displacement: int, write: bool) -> str:
        """The block to go on at where what was checked does not lie in the window."""
        self.faults.append(Fault(self.current, checked, displacement, write, value.origin))
        return "fault"

    def unchecked_pointer(self, address: str, result: str, out: Lines) -> str:
        out.append(f"{result}.g = inttoptr i64 {address} to ptr addrspace(256)")
        return f"{result}.g"

    def write_back_shadows(self, value: Value, out: Lines) -> None:
        """What an access needs before it that `guard_load` and `guard_store` cannot do (see `region`)."""

    def guard_load(self, value: Value, result: str, out: Lines) -> bool:
        """Load from the place that `guest_pointer` gave, with a way out for faults; whether this function does so."""
        return False

    def guard_store(self, value: Value, source: str, result: str, out: Lines) -> bool:
        """Store to the place that `guest_pointer` gave, with a way out for faults; whether this function does so."""
        return False

    # --- the function ----------------------------------------------------------------------------------------------
    def signature(self) -> str:
        arguments = ["ptr %state"] + [f"{llvm_type(t)} %arg{i}" for i, t in enumerate(self.ir.parameters)]
        return f"define {llvm_type(self.ir.result)} @{self.name}({', '.join(arguments)}) nounwind"

    def text(self) -> str:
        """The LLVM definition."""
        scheduled = schedule(self.ir, repeat=self.repeat)
        seen: set[int] = set()
        self.labels = {block: f"b{index}" for index, (block, _) in enumerate(scheduled)}
        body: Lines = []
        for block, values in scheduled:
            self.current = self.labels[block]
            first = len(body)
            body.append(f"{self.current}:")
            begin, faults = len(body), len(self.faults)
            self.begin_block(block, body)
            for value in values:
                self.lower(value, body)
            assert block.terminator is not None, f"{self.name}: {block} has no terminator"
            self.terminate(block.terminator, body)
            repeated = {value.id for value in values if value.id in seen}
            if repeated:
                suffix = self.labels[block]
                body[begin:] = _renamed(body[begin:], repeated, suffix)
                self.faults[faults:] = [
                    fault._replace(checked=_renamed([fault.checked], repeated, suffix)[0])
                    for fault in self.faults[faults:]
                ]
            body[first:] = self.end_block(body[first:])
            seen.update(value.id for value in values)
        start = [f"{self.signature()} {{", "entry:", *self.prologue]
        start += [f"%local{n} = alloca {llvm_type(t)}" for n, t in enumerate(self.ir.locals)]
        start += [*self.entry(), f"br label %{self.labels[scheduled[0][0]]}"]
        return "\n".join([*start, *body, *self.last_blocks(), "}"])

    def entry(self) -> Lines:
        """Lines at the start of the function."""
        return []

    def begin_block(self, block: Block, out: Lines) -> None:
        """Lines at the start of a block."""

    def end_block(self, lines: Lines) -> Lines:
        """The lines of a block, of which the first is its label, as they are to be."""
        return lines

    def lower(self, value: Value, out: Lines) -> None:
        if value.op.is_pure:
            self.pure.lower(value, out)
        else:
            EFFECTS[value.op.name](self, value, f"%v{value.id}", [operand(a) for a in value.args], out)

    def last_blocks(self) -> Lines:
        """Blocks that others branch to, at the end of the function: above all, the one for checks that fail."""
        return []

    def terminate(self, terminator: Terminator, out: Lines) -> None:
        match terminator.op.name:
            case "jump":
                out.append(f"br label %{self.labels[terminator.targets[0]]}")
            case "branch":
                yes, no = (self.labels[t] for t in terminator.targets)
                out.append(f"br i1 {operand(terminator.args[0])}, label %{yes}, label %{no}{self.weights(terminator)}")
            case "ret":
                if self.ir.result is VOID:
                    out.append("ret void")
                else:
                    out.append(f"ret {llvm_type(self.ir.result)} {operand(terminator.args[0])}")
            case other:
                self.leave_guest(other, terminator, out)

    def weights(self, terminator: Terminator) -> str:
        """What is known of how often the two ways on from a branch are taken, as metadata."""
        return ""

    def leave_guest(self, name: str, terminator: Terminator, out: Lines) -> None:
        raise MetaphraseError(f"{self.name}: {name} ends guest code, and this function is not guest code")

    def fresh(self, stem: str) -> str:
        """A new local name."""
        self._names += 1
        return f"%{stem}{self._names}"

    def store_context(self, offset: int, value: str, out: Lines, type: str = "i64") -> None:
        pointer = self.pointer(self.fresh("c"), offset, out)
        out.append(f"store {type} {value}, ptr {pointer}")

    def load_context(self, offset: int, out: Lines, type: str = "ptr") -> str:
        pointer = self.pointer(self.fresh("c"), offset, out)
        loaded = self.fresh("l")
        out.append(f"{loaded} = load {type}, ptr {pointer}")
        return loaded

    def store_pc(self, value: str, out: Lines) -> None:
        assert self.ir.layout is not None
        self.store_context(self.ir.layout.program_counter, value, out)

    def exit_to(self, pc: str, reason: int | str, out: Lines) -> None:
        """Leave guest code: `enter` returns."""
        self.store_pc(pc, out)
        self.store_context(context.EXIT_REASON, str(reason), out)
        out.append("ret void")

    def tail_to(self, handler: str, op: str, out: Lines, carried: str = NOTHING) -> None:
        out.append(f"musttail call {CONVENTION} void {handler}(ptr {op}, ptr %state{carried})")
        out.append("ret void")

    def tail_to_pc(self, dispatch: str, pc: str, out: Lines, carried: str = NOTHING) -> None:
        """Go on at a guest pc, which is handed over in the place of a record."""
        name = self.fresh("pc")
        out.append(f"{name} = inttoptr i64 {pc} to ptr")
        self.tail_to(dispatch, name, out, carried)

    def fault_phis(self, out: Lines) -> None:
        """The fault block's label and the values that tell its entries apart."""
        out.append("fault:")
        for name, values in (
            ("checked", [fault.checked for fault in self.faults]),
            ("displacement", [fault.displacement for fault in self.faults]),
            ("write", [int(fault.write) for fault in self.faults]),
        ):
            entries = ", ".join(f"[{value}, %{fault.label}]" for fault, value in zip(self.faults, values, strict=True))
            out.append(f"%fault.{name} = phi i64 {entries}")
        out.append("%fault.address = add i64 %fault.checked, %fault.displacement")


class HandlerLowering(FunctionLowering):
    """Lowers a form's semantics, bound to record fields, as a handler of the threaded interpreter."""

    def signature(self) -> str:
        return f"define {CONVENTION} void @{self.name}{SIGNATURE} nounwind"

    def entry(self) -> Lines:
        out: Lines = []
        for value in self.ir.values():
            if value.op.name == "field":
                offset, size = record.FIELDS[value.imm]
                name = f"%field.{value.imm}"
                out.append(f"{name}.p = getelementptr i8, ptr %op, i64 {offset}")
                if size == 8:
                    out.append(f"{name} = load i64, ptr {name}.p, !invariant.load !1")
                else:
                    out.append(f"{name}.n = load i16, ptr {name}.p, !invariant.load !1")
                    out.append(f"{name} = zext i16 {name}.n to i64")
        if any(e.op in _MAY_STOP for b in self.ir.blocks for e in b.effects):
            self.store_context(context.EXIT_RECORD, "%op", out, "ptr")  # a fault finds its instruction here
        return out

    def guest_pointer(self, value: Value, address: str, result: str, write: bool, out: Lines) -> str:
        return self.checked_pointer(value, address, result, write, out)

    def last_blocks(self) -> Lines:
        out: Lines = []
        if self.faults:
            self.fault_phis(out)
            self.store_context(context.FAULT_ADDRESS, "%fault.address", out)
            self.store_context(context.FAULT_WRITE, "%fault.write", out)
            self.store_context(context.FAULT_HOST_PC, "0", out)
            out.append(f"%fault.pc.p = getelementptr i8, ptr %op, i64 {record.PC}")
            out.append("%fault.pc = load i64, ptr %fault.pc.p")
            self.exit_to("%fault.pc", context.Reasons.FAULT, out)
        return out

    def chain_to(self, branching: str, out: Lines) -> None:
        """Go to the record that a branching record is chained to, or have it resolved."""
        slot, target, tested = self.fresh("s"), self.fresh("t"), self.fresh("z")
        out.append(f"{slot} = getelementptr i8, ptr {branching}, i64 {record.DISPLACEMENT}")
        out.append(f"{target} = load ptr, ptr {slot}")
        out.append(f"{tested} = icmp eq ptr {target}, null")
        known, unknown = self.fresh("known")[1:], self.fresh("unknown")[1:]
        out.append(f"br i1 {tested}, label %{unknown}, label %{known}, !prof !2")
        out.append(f"{known}:")
        handler = self.fresh("h")
        out.append(f"{handler} = load ptr, ptr {target}")
        self.tail_to(handler, target, out)
        out.append(f"{unknown}:")
        resolve = self.load_context(context.RESOLVE, out)
        self.tail_to(resolve, branching, out)

    def leave_guest(self, name: str, terminator: Terminator, out: Lines) -> None:
        if name == "next":
            following, handler = self.fresh("n"), self.fresh("h")
            out.append(f"{following} = getelementptr i8, ptr %op, i64 {record.SIZE}")
            out.append(f"{handler} = load ptr, ptr {following}")
            self.tail_to(handler, following, out)
        elif name == "goto":
            target = terminator.args[0]
            if target.op.name == "field" and target.imm == "immediate":
                self.chain_to("%op", out)
            else:
                self.tail_to_pc(self.load_context(context.DISPATCH, out), operand(target), out)
        else:
            self.store_context(context.EXIT_RECORD, "%op", out, "ptr")
            self.exit_to(operand(terminator.args[0]), self.module.reasons[terminator.imm], out)
