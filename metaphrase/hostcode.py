"""Host code as people read it: disassembled, with labels where it jumps to."""

from __future__ import annotations

from functools import cached_property

import capstone

from metaphrase.show import MimeBundle, columns, preformatted

_PADDING = "int3"


class HostCode:
    """A function of x86-64 host code in a linked image, which runs at any address.

    code   the image: the function, and the constants that it uses
    start  offset of the function in it
    """

    def __init__(self, code: bytes, start: int = 0) -> None:
        self.image, self.start = code, start

    @cached_property
    def _decoded(self) -> list[tuple[int, bytes, str, str]]:
        """Offset, bytes, mnemonic and operands of each instruction."""
        disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        return [
            (i.address, bytes(i.bytes), i.mnemonic, i.op_str)
            for i in disassembler.disasm(self.image[self.start :], self.start)
        ]

    @property
    def code(self) -> bytes:
        """The bytes of the function."""
        return b"".join(code for _, code, _, _ in self._lines())

    def __len__(self) -> int:
        """How many instructions there are."""
        return sum(name != _PADDING for _, _, name, _ in self._lines())

    def _lines(self) -> list[tuple[int, bytes, str, str]]:
        """The instructions without the padding, and whatever constants, behind the last jump. Before what is seldom
        run there is some, too."""
        lines = self._decoded
        reached = max((int(text, 16) for _, _, name, text in lines if _is_jump(name, text)), default=self.start)
        for index, (offset, _, name, _) in enumerate(lines):
            if offset >= reached and name in ("jmp", "ret", "ud2"):
                return lines[: index + 1]
        return lines

    def __str__(self) -> str:
        lines = self._lines()
        starts = {offset for offset, _, _, _ in lines}
        targets = sorted({int(text, 16) for _, _, name, text in lines if _is_jump(name, text)} & starts)
        labels = {target: f"L{number}" for number, target in enumerate(targets, 1)}
        rows = []
        for offset, _, name, text in lines:
            if name == _PADDING:
                continue
            if _is_jump(name, text):
                text = labels.get(int(text, 16), text)
            label = f"{labels[offset]}:" if offset in labels else ""
            rows.append((f"{offset - self.start:x}", label, f"{name} {text}".strip()))
        return columns(rows)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        return {"text/plain": str(self), "text/html": preformatted(str(self))}


def _is_jump(name: str, text: str) -> bool:
    return name.startswith("j") and text.startswith("0x")
