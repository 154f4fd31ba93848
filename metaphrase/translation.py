"""Guest code and what becomes of it: instructions, IR before and after each pass, LLVM IR, host code.

Everything is made when it is asked for, by the very functions that the engine uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.compile import HANDLER_PASSES, REGION_LEVEL, REGION_PASSES, compile_text, host, optimised
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import link
from metaphrase.backends.llvm.region import RegionLowering
from metaphrase.hostcode import HostCode
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Function
from metaphrase.ir.layout import Slot
from metaphrase.ir.passes import PIPELINE
from metaphrase.ir.text import print_function
from metaphrase.reference import lift
from metaphrase.show import MimeBundle, Text, columns, preformatted, section, table
from metaphrase.translator.engine.handler_code import lift_handler
from metaphrase.translator.engine.regions import Region, RegionBuilder
from metaphrase.translator.engine.selection import Facts, GuestBlock, select
from metaphrase.translator.guest import Decoded, DecodeError, Description, Guest

Fetch = Callable[[int, int], bytes]
"""Code at an address: at most so many bytes, fewer (or none) where it ends."""

_ACCESSES = {"load": "load", "store": "store", "rmw": "atomic", "cmpxchg": "atomic"}


class Lowered:
    """A function of IR on its way through LLVM."""

    ir: Function
    llvm: Text
    _passes: tuple[str, ...]
    _level: int
    _symbol: str

    @cached_property
    def optimised_llvm(self) -> Text:
        """The LLVM IR after LLVM's passes, which do not know the guest."""
        return Text(optimised(self.llvm, self._passes, self._level))

    @cached_property
    def assembly(self) -> HostCode:
        """The host code."""
        image = link([compile_text(self.llvm, self._passes, self._level)])
        return HostCode(image.code, image.symbols[self._symbol])


class Handler(Lowered):
    """The tier-0 handler of an instruction's form: its operands are fields of the record that it runs."""

    _passes, _level, _symbol = HANDLER_PASSES, 2, "handler"

    def __init__(self, guest: Guest, decoded: Decoded) -> None:
        self.guest, self.row, self.statics = guest, decoded.row, decoded.statics
        self.name = guest.form_name(self.row, self.statics)

    @cached_property
    def ir(self) -> Function:  # type: ignore[override]
        """The semantics with operands bound to the record."""
        return lift_handler(self.guest, self.row, self.statics)

    @cached_property
    def llvm(self) -> Text:  # type: ignore[override]
        """The LLVM IR that is handed to LLVM."""
        writer = ModuleWriter(host(), context.Reasons.table(self.guest.reasons))
        writer.handler(self.ir, self._symbol)
        return Text(writer.text())

    def __repr__(self) -> str:
        return f"<handler of {self.name}>"


@dataclass(frozen=True, repr=False)
class Instruction:
    """One decoded instruction at its address."""

    guest: Guest
    decoded: Decoded
    code: bytes
    text: str
    """In the assembly language of the architecture's manual."""

    @property
    def address(self) -> int:
        return self.decoded.pc

    @property
    def description(self) -> Description:
        """The row of the guest's table that matched."""
        return self.guest.rows[self.decoded.row]

    @property
    def manual(self) -> str:
        """What it is called and where the manual describes it."""
        return " ".join(self.description.manual.split())

    @cached_property
    def ir(self) -> Function:
        """Its meaning, with its operands as constants."""
        return lift(self.guest, self.decoded)

    @property
    def handler(self) -> Handler:
        """Its handler in tier 0, which serves all instructions of its form."""
        return Handler(self.guest, self.decoded)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the state that it reads."""
        return self._slots("get")

    @property
    def writes(self) -> tuple[str, ...]:
        """Names of the state that it may write."""
        return self._slots("put")

    @property
    def accesses(self) -> tuple[str, ...]:
        """How it touches memory: "load", "store", "atomic"."""
        names = (_ACCESSES.get(e.op.name) for block in self.ir.blocks for e in block.effects)
        return tuple(dict.fromkeys(name for name in names if name))

    def _slots(self, op: str) -> tuple[str, ...]:
        found: dict[Slot, None] = {}
        for block in self.ir.blocks:
            for effect in block.effects:
                slot = self.guest.layout.find(effect.imm) if effect.op.name == op else None
                if slot is not None and slot.name not in self.guest.hidden:
                    found[slot] = None
        return tuple(slot.name for slot in found)

    def details(self) -> list[tuple[str, str]]:
        """What the tables say of it, as names and texts."""
        description = self.description
        operands = ", ".join(getattr(kind, "code", "") or getattr(kind, "name", "") for kind in description.operands)
        rows = [
            ("encoding", f"{description.pattern}{f'   operands {operands}' if operands else ''}"),
            ("manual", self.manual),
            ("reads", ", ".join(self.reads)),
            ("writes", ", ".join(self.writes)),
            ("memory", ", ".join(self.accesses)),
        ]
        return [(name, text) for name, text in rows if text]

    def __str__(self) -> str:
        return f"{self.address:x}  {self.code.hex(' ')}  {self.text}"

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        rows = [("", str(self)), *self.details()]
        return {"text/plain": columns(rows), "text/html": table(rows)}


class Instructions(Sequence[Instruction]):
    """Instructions in order of address."""

    def __init__(self, items: Sequence[Instruction]) -> None:
        self._items = list(items)

    def __getitem__(self, index: int) -> Instruction:  # type: ignore[override]
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def rows(self) -> list[tuple[str, str, str]]:
        """Address, bytes and text of each."""
        return [(f"{item.address:x}", item.code.hex(" "), item.text) for item in self]

    def __str__(self) -> str:
        return columns(self.rows())

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        return {"text/plain": str(self), "text/html": table(self.rows())}


@dataclass(frozen=True)
class Stage:
    """The IR after a pass."""

    name: str
    ir: Function
    changed: bool
    """Whether the pass had anything to do."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        return self.ir._repr_mimebundle_()


class Translation(Lowered):
    """Guest code from an address on, as one region of tier 1: the blocks that direct jumps and calls reach.

    fetch   where code is read
    single  only the block at the address, not those that follow it
    """

    _passes, _level, _symbol = REGION_PASSES, REGION_LEVEL, "region"

    def __init__(self, guest: Guest, fetch: Fetch, address: int, *, single: bool = False) -> None:
        self.guest, self.address = guest, address
        self._fetch, self._single = fetch, single
        self.facts = Facts()
        """What the region's builder has found out."""

    @cached_property
    def blocks(self) -> list[Instructions]:
        """The blocks that it is made of, the first at `address`."""
        return [self._instructions(block) for block in self._select().blocks]

    @property
    def instructions(self) -> Instructions:
        """All instructions, in order of address."""
        found = {item.address: item for block in self.blocks for item in block}
        return Instructions([found[address] for address in sorted(found)])

    @cached_property
    def ir(self) -> Function:  # type: ignore[override]
        """What lifting gives, before any pass."""
        return self._build(0)

    @cached_property
    def stages(self) -> list[Stage]:
        """The IR after each pass, in order."""
        stages = []
        before = print_function(self.ir)
        for count, each in enumerate(PIPELINE, 1):
            function = self._build(count)
            after = print_function(function)
            stages.append(Stage(each.__name__, function, after != before))
            before = after
        return stages

    @cached_property
    def optimised_ir(self) -> Function:
        """The IR after all passes."""
        return self._build(len(PIPELINE))

    @cached_property
    def llvm(self) -> Text:  # type: ignore[override]
        """The LLVM IR that is handed to LLVM."""
        writer = ModuleWriter(host(), context.Reasons.table(self.guest.reasons))
        writer.add(RegionLowering(writer, self._build(len(PIPELINE)), self._symbol).text())
        return Text(writer.text())

    def block(self, pc: int, *, first: bool) -> GuestBlock | None:
        """The block at an address, for the region's builder (which asks for those that have been run)."""
        if self._single and not first:
            return None
        found = decode_block(self.guest, self._fetch, pc)
        return GuestBlock(pc, 0, found, found[-1].next_pc) if found else None

    def read(self, address: int, length: int) -> bytes:
        """See `Blocks`."""
        return self._fetch(address, length)

    def runs(self, pc: int) -> int | None:
        """See `Blocks`: nothing has been run."""
        return None

    def is_warm(self, pc: int) -> bool:
        """Every block counts (see `block`)."""
        return True

    def is_entry(self, pc: int) -> bool:
        """See `selection.Blocks`: there are no other regions here."""
        return False

    def _select(self) -> Region:
        decode(self.guest, self._fetch, self.address)  # says what is wrong, if nothing is there
        selection = select(self.guest, self, [self.address], self.address)
        assert selection is not None, "the block at the address was decoded just now"
        return RegionBuilder(self.guest, self, selection).build()

    def _build(self, passes: int) -> Function:
        """The region's IR after so many passes; they change what they are given, so it is built anew."""
        function = self._select().function
        for each in PIPELINE[:passes]:
            function = each(function)
        return function

    def _instructions(self, block: GuestBlock) -> Instructions:
        return Instructions([describe(self.guest, self._fetch, decoded) for decoded in block.instructions])

    def __str__(self) -> str:
        return str(self.instructions)

    def __repr__(self) -> str:
        return f"<{self.guest.name} code at {self.address:#x}: {len(self.instructions)} instructions>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        body = table(self.instructions.rows())
        for title, text in (
            ("IR", str(self.ir)),
            ("IR after all passes", str(self.optimised_ir)),
            ("LLVM IR, optimised", self.optimised_llvm),
            ("host code", str(self.assembly)),
        ):
            body += section(title, preformatted(text))
        return {"text/plain": str(self), "text/html": body}


def decode(guest: Guest, fetch: Fetch, pc: int) -> Decoded:
    """The instruction at an address. Raises DecodeError, which shows the bytes."""
    code = fetch(pc, guest.longest)
    if not code:
        raise DecodeError(f"{guest.name}: there is no code at {pc:#x}")
    try:
        return guest.decode(code, pc)
    except DecodeError as error:
        if str(error).startswith(f"{guest.name}:"):
            raise
        raise DecodeError(f"{guest.name}: {error} (bytes {code[:8].hex(' ')})") from error


def describe(guest: Guest, fetch: Fetch, decoded: Decoded) -> Instruction:
    """A decoded instruction with its bytes and text."""
    code = fetch(decoded.pc, decoded.length)
    return Instruction(guest, decoded, code, guest.disassemble(code, decoded.pc))


def decode_block(guest: Guest, fetch: Fetch, pc: int) -> list[Decoded]:
    """The instructions from an address to the first that ends a block, or to where none follows."""
    found: list[Decoded] = []
    while len(found) < context.MAX_BLOCK:
        try:
            decoded = decode(guest, fetch, pc)
        except MetaphraseError:
            break
        found.append(decoded)
        if guest.rows[decoded.row].ends_block:
            break
        pc = decoded.next_pc
    return found
