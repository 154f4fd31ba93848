"""The symbols of a guest program."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping

from metaphrase.ir.errors import MetaphraseError


class SymbolError(MetaphraseError, KeyError):
    """The program has no symbol of that name."""

    def __str__(self) -> str:
        return str(self.args[0])


class Symbols(Mapping[str, int]):
    """Addresses by name; `place` tells which symbol an address belongs to."""

    def __init__(self, addresses: Mapping[str, int], sizes: Mapping[str, int], program: str) -> None:
        self._addresses, self._sizes, self._program = dict(addresses), dict(sizes), program
        self._sorted = sorted((address, name) for name, address in addresses.items())

    def __getitem__(self, name: str) -> int:
        try:
            return self._addresses[name]
        except KeyError:
            raise SymbolError(f"{self._program} has no symbol {name!r} (of the {len(self)} that it keeps)") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses)

    def __len__(self) -> int:
        return len(self._addresses)

    def place(self, address: int) -> str:
        """An address as a symbol and an offset from it, "" where none is near."""
        index = bisect_right(self._sorted, address, key=lambda pair: pair[0]) - 1
        if index < 0:
            return ""
        start, name = self._sorted[index]
        if address - start >= max(self._sizes[name], 1):
            return ""
        return f"{name}+{address - start:#x}" if address > start else name

    def __repr__(self) -> str:
        return f"<{len(self)} symbols of {self._program}>"


def symbols_of(path: str, bias: int) -> Symbols:
    """The functions and objects of an ELF file's symbol tables, moved by the load bias."""
    from elftools.elf.elffile import ELFFile  # slow to import, and not needed to run a program
    from elftools.elf.sections import SymbolTableSection

    addresses: dict[str, int] = {}
    sizes: dict[str, int] = {}
    with open(path, "rb") as file:
        for section in ELFFile(file).iter_sections():
            if not isinstance(section, SymbolTableSection):
                continue
            for symbol in section.iter_symbols():
                kind = symbol["st_info"]["type"]
                defined = symbol["st_shndx"] != "SHN_UNDEF" and kind in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE")
                if defined and symbol.name and symbol.name not in addresses:
                    addresses[symbol.name] = symbol["st_value"] + bias
                    sizes[symbol.name] = symbol["st_size"]
    return Symbols(addresses, sizes, path)
