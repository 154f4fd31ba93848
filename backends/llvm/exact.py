"""Regions whose state is exact where an access to guest memory faults.

Each cell has a shadow: what it held at the last checkpoint. Only faults read the shadows, each in a block of its own
that writes them back (see `guarded`); what cannot be guarded is preceded by writing them back.
"""

from __future__ import annotations

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.dirty import last_checkpoints
from metaphrase.backends.llvm.guarded import Form, Place, form_of, guarded_load, guarded_store
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.pure import Lines, llvm_type, operand
from metaphrase.backends.llvm.region import RegionLowering
from metaphrase.ir import record
from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.passes.dead_state import visible_at_checkpoints
from metaphrase.ir.types import Type
from metaphrase.ir.window import displaced


class ExactRegionLowering(RegionLowering):
    """Lowers a region with checkpoints."""

    exact = True

    def __init__(self, module: ModuleWriter, function: Function, name: str) -> None:
        super().__init__(module, function, name)
        self.last_checkpoint = last_checkpoints(function)
        self.visible_at = visible_at_checkpoints(function)
        self.written: set[int] = set()
        """Cells that may have been written before this place."""
        self.guards: dict[object, tuple[str, frozenset[int]]] = {}
        """Blocks that faults go on at, and the cells whose shadows may have been written there: one for all accesses
        that have the same checkpoint before them."""

    def entry(self) -> Lines:
        out: Lines = ["%checkpoint = alloca i64", "store i64 0, ptr %checkpoint"]
        out += ["%checkpoint.counted = alloca i64", "store i64 0, ptr %checkpoint.counted"]
        out += [f"%shadow{slot.offset} = alloca {llvm_type(slot.type)}" for slot in self.cells.values()]
        out += super().entry()
        for slot in self.cells.values():
            number = self.carried.get(slot.offset)
            first = f"%first{slot.offset}" if number is None else f"%g{number}"
            out.append(f"store {llvm_type(slot.type)} {first}, ptr %shadow{slot.offset}")
        return out

    def begin_block(self, block: Block, out: Lines) -> None:
        super().begin_block(block, out)
        self.written = set().union(*(self.written_at_end[each] for each in self.dominators.predecessors[block]))

    def polls_turns(self) -> bool:
        """No poll does without the flag: some other thread may be writing the region's code."""
        return False

    def state_pointer(self, offset: int, type: Type, result: str, out: Lines) -> str:
        if offset in self.left and offset not in self.written:
            return f"%slot{offset}"
        return super().state_pointer(offset, type, result, out)

    def lower(self, value: Value, out: Lines) -> None:
        if value.op.name == "put":
            self.written.add(value.imm)
        if value.op.name == "checkpoint":
            self._checkpoint(value, out)
        else:
            super().lower(value, out)

    def outside_window(self, value: Value, checked: str, displacement: int, write: bool) -> str:
        return self._guard(value)

    def unchecked_pointer(self, address: str, result: str, out: Lines) -> str:
        out.append(f"{result}.m = inttoptr i64 {address} to ptr")
        return super().unchecked_pointer(address, result, out)

    def commit(self, dirty: frozenset[int], out: Lines, counted: str) -> None:
        super().commit(dirty, out, counted)
        self.store_context(context.EXIT_RECORD, "null", out, "ptr")

    def guard_load(self, value: Value, result: str, out: Lines) -> bool:
        form = self._form(value.type, value, out)
        if form is not None:
            label = f"loaded{value.id}"
            out += guarded_load(form, value.type, self._place(value, result), result, label, self._guard(value))
            self.current = label
        return form is not None

    def guard_store(self, value: Value, source: str, result: str, out: Lines) -> bool:
        type = value.args[1].type
        form = self._form(type, value, out)
        if form is not None:
            label = f"stored{value.id}"
            out += guarded_store(form, type, self._place(value, result), source, result, label, self._guard(value))
            self.current = label
        return form is not None

    def _place(self, value: Value, result: str) -> Place:
        """Where an access goes that `guest_pointer` has been asked for."""
        near = displaced(value.args[0])
        return Place(f"{result}.m") if near is None else Place(operand(near[0]), near[1])

    def _form(self, type: Type, value: Value, out: Lines) -> Form | None:
        """How a guarded access moves a type; None, with the shadows written back, if it cannot be guarded."""
        form = form_of(type, avx=self.module.host.avx)
        if form is None:
            self.write_back_shadows(value, out)
        return form

    def _guard(self, value: Value) -> str:
        """The block to go on at where an access faults."""
        label = f"guard{len(self.guards)}"
        return self.guards.setdefault(self.last_checkpoint[value.id], (label, self.dirty_before[value.id]))[0]

    def _checkpoint(self, value: Value, out: Lines) -> None:
        """Note the state at the start of an instruction, and which that is."""
        for offset in sorted(self.dirty_before[value.id]):
            text, held = llvm_type(self.cells[offset].type), "poison"
            if self.visible_at[value.id] >> offset & 1:
                held = self.fresh("w")
                out.append(f"{held} = load {text}, ptr %cell{offset}")
            out.append(f"store {text} {held}, ptr %shadow{offset}")
        out.append(f"store i64 {record.SIZE * self.exit_number(value.imm)}, ptr %checkpoint")
        counted = self.fresh("n")
        out.append(f"{counted} = load i64, ptr %counted")
        out.append(f"store i64 {counted}, ptr %checkpoint.counted")

    def write_back_shadows(self, value: Value, out: Lines) -> None:
        """Make the state that at the last checkpoint."""
        self._write_back(self.dirty_before[value.id], out)
        counted, since = self.fresh("n"), self.fresh("n")
        out.append(f"{counted} = load i64, ptr %counted")
        out.append(f"{since} = sub i64 {counted}, {self.count('%checkpoint.counted', out)}")
        out += [f"store i64 {since}, ptr %counted", "store i64 0, ptr %checkpoint.counted"]

    def _write_back(self, shadows: frozenset[int], out: Lines) -> None:
        """Write the shadows of some cells and all carried registers to the state, and say which checkpoint that is."""
        assert self.ir.layout is not None
        for offset in sorted(shadows | self.carried.keys()):
            held, text = f"%g{self.carried.get(offset)}", "i64"
            if offset in self.cells:
                held, text = self.fresh("w"), llvm_type(self.cells[offset].type)
                out.append(f"{held} = load {text}, ptr %shadow{offset}")
            slot = self.pointer(self.fresh("c"), offset, out)
            out.append(f"store {text} {held}, ptr {slot}, align 1")
        at, pointer = self.fresh("n"), self.fresh("exit")
        out.append(f"{at} = load i64, ptr %checkpoint")
        out.append(f"{pointer} = getelementptr i8, ptr {self.records(out)}, i64 {at}")
        self.store_context(context.EXIT_RECORD, pointer, out, "ptr")

    def fault_blocks(self) -> Lines:
        """Where faults go on: tier 0 begins again at the last checkpoint, and finds the fault itself."""
        if not self.guards:
            return []
        out: Lines = []
        everything = frozenset[int]().union(*(shadows for _, shadows in self.guards.values()))
        for label, shadows in self.guards.values():
            # LLVM would have empty blocks share one, and then let all accesses before it hold the same registers
            out += [f"{label}:", 'call void asm sideeffect "", ""()']
            for offset in sorted(everything - shadows - self.carried.keys()):
                text, held = llvm_type(self.cells[offset].type), self.fresh("w")
                out.append(f"{held} = load {text}, ptr %slot{offset}, align 1")
                out.append(f"store {text} {held}, ptr %shadow{offset}")
            out.append("br label %fault")
        out.append("fault:")
        self._write_back(everything, out)
        self.count("%checkpoint.counted", out)
        self.store_context(context.FAULT_WRITE, "0", out)
        self.store_context(context.FAULT_HOST_PC, "0", out)
        self.exit_to("%base", context.Reasons.FAULT, out)
        return out
