"""Input files for the programs, made here and the same everywhere: no download, no dependence on the clock.

All come out of the raw numbers of one generator of pseudorandom bits, whose stream numpy promises to keep
(numpy.random.PCG64, NEP 19).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy

SEED = 20_260_101
WORDS = 4096  # size of the vocabulary
WORDS_PER_LINE = 11
ONSETS = (*"bcdfghklmnprstvw", "th", "st", "tr")
VOWELS = "aeiou"
CODAS = ("", "", "n", "r", "s", "l")
CHUNK = 1 << 18  # numbers drawn at a time


class Inputs:
    """Makes input files in a folder, and finds those it has made. Each method gives a file's path.

    The names carry a hash of this module, so that files of an earlier version are not taken for its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]

    def text(self, size: int) -> str:
        """`size` bytes that look like prose: words as frequent as Zipf's law has it, in lines and sentences."""
        return self._file("text", size, _prose)

    def lines(self, size: int) -> str:
        """`size` bytes of short lines in random order: a name, a number, a word."""
        return self._file("lines", size, _records)

    def noise(self, size: int) -> str:
        """`size` random bytes."""
        return self._file("noise", size, _noise)

    def _file(self, kind: str, size: int, pieces: Callable[[], Iterator[bytes]]) -> str:
        path = self.folder / f"{kind}-{size}-{self.version}"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, scratch = tempfile.mkstemp(dir=self.folder, prefix=".making-")
            with os.fdopen(handle, "wb") as file:
                left = size
                for piece in pieces():
                    file.write(piece[:left])
                    left -= len(piece)
                    if left <= 0:
                        break
            os.replace(scratch, path)
        return str(path)


def _numbers() -> Iterator[numpy.ndarray]:
    """Arrays of CHUNK pseudorandom 64-bit numbers, without end."""
    generator = numpy.random.PCG64(SEED)
    while True:
        yield generator.random_raw(CHUNK)


def _vocabulary() -> list[bytes]:
    """WORDS made-up words of one to three syllables, the frequent ones being the shorter."""
    numbers = (int(number) for chunk in _numbers() for number in chunk)

    def syllable() -> str:
        number = next(numbers)
        return ONSETS[number % len(ONSETS)] + VOWELS[(number >> 16) % len(VOWELS)] + CODAS[(number >> 32) % len(CODAS)]

    words: dict[bytes, None] = {}
    while len(words) < WORDS:
        syllables = 1 + (len(words) >= 256) + (len(words) >= 2048)  # there are only some 470 of them
        words["".join(syllable() for _ in range(syllables)).encode()] = None
    return list(words)


def _ranks(numbers: numpy.ndarray) -> list[int]:
    """Numbers of words, the n-th being as frequent as 1/n. All is done in integers, which no processor rounds."""
    shares = numpy.cumsum([10**9 // rank for rank in range(1, WORDS + 1)], dtype=numpy.uint64)
    return numpy.searchsorted(shares, numbers % shares[-1], side="right").tolist()


def _prose() -> Iterator[bytes]:
    vocabulary = _vocabulary()
    for chunk in _numbers():
        words = [vocabulary[rank] for rank in _ranks(chunk)]
        for start in range(0, len(words), WORDS_PER_LINE):
            line = b" ".join(words[start : start + WORDS_PER_LINE])
            yield line.capitalize() + b".\n" if start % (3 * WORDS_PER_LINE) == 0 else line + b"\n"


def _records() -> Iterator[bytes]:
    vocabulary = _vocabulary()
    for chunk in _numbers():
        ranks = _ranks(chunk)
        for number, rank, other in zip(chunk.tolist(), ranks, reversed(ranks)):
            yield b"%s\t%d\t%s\n" % (vocabulary[rank], number % 1_000_003, vocabulary[other])


def _noise() -> Iterator[bytes]:
    for chunk in _numbers():
        yield chunk.astype("<u8").tobytes()
