"""The words of the text form, and a reader over them; `ir/parse.py` gives them their meaning."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.types import Type, TypeMismatch, parse_type

_WORDS: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>;[^\n]*)
      | (?P<type><\s*\d+\s+x\s+\w+\s*>|\b(?:i[1-9]\d*|f16|f32|f64|f80|void)\b(?![.$]))
      | (?P<float>-?\d+\.\d+(?:e[+-]?\d+)?)
      | (?P<number>-?(?:0x[0-9a-fA-F_]+|0|[1-9][\d_]*)\b)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<arrow>->)
      | (?P<name>[A-Za-z_$][\w.$]*)
      | (?P<mark>[{}(),=:\[\]<>@+])""",
    re.VERBOSE,
)


class TextError(MetaphraseError):
    """The text is no IR; says where (line and column, from 1) and what was expected."""

    def __init__(self, line: int, column: int, what: str) -> None:
        super().__init__(f"line {line}, column {column}: {what}")
        self.line, self.column, self.what = line, column, what


class Token(NamedTuple):
    """One word; `kind` is type, float, number, string, arrow, name, mark or end. Line and column count from 1."""

    kind: str
    text: str
    line: int
    column: int

    def __str__(self) -> str:
        return "the end of the text" if self.kind == "end" else repr(self.text)


class Reader:
    """The tokens of a text, and how far they are read."""

    def __init__(self, text: str) -> None:
        self.comments: list[tuple[int, str]] = []
        self.tokens = self._tokenize(text)
        self.position = 0

    def _tokenize(self, text: str) -> list[Token]:
        tokens, position, line, start = [], 0, 1, 0
        while position < len(text):
            match = _WORDS.match(text, position)
            column = position - start + 1
            if match is None:
                raise TextError(line, column, f"{text[position]!r} belongs to no word of the IR")
            kind = match.lastgroup or ""
            if kind == "comment":
                self.comments.append((line, match[0]))
            elif kind != "space":
                tokens.append(Token(kind, match[0], line, column))
            newlines = match[0].count("\n")
            if newlines:
                line, start = line + newlines, position + match[0].rindex("\n") + 1
            position = match.end()
        tokens.append(Token("end", "", line, position - start + 1))
        return tokens

    def peek(self, ahead: int = 0) -> Token:
        return self.tokens[min(self.position + ahead, len(self.tokens) - 1)]

    def next(self) -> Token:
        token = self.peek()
        self.position += 1
        return token

    def at(self, text: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.text == text and token.kind in ("mark", "name", "arrow")

    def accept(self, text: str) -> bool:
        if self.at(text):
            self.position += 1
            return True
        return False

    def expect(self, kind: str, text: str, what: str = "") -> Token:
        token = self.next()
        if token.kind != kind or (text and token.text != text):
            raise self.error(token, f"expected {what or repr(text) or kind}, found {token}")
        return token

    def mark(self, text: str) -> None:
        self.expect("mark", text)

    def error(self, token: Token, what: str) -> TextError:
        """What to raise for something wrong at `token`."""
        return TextError(token.line, token.column, what)

    def name(self, what: str) -> str:
        """A name, or a quoted one."""
        token = self.next()
        if token.kind == "string":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        if token.kind != "name":
            raise self.error(token, f"expected {what}, found {token}")
        return token.text

    def integer(self, what: str) -> int:
        return int(self.expect("number", "", what).text, 0)

    def type(self) -> Type:
        token = self.expect("type", "", "a type (i32, f64, <4 x i32>)")
        try:
            return parse_type(re.sub(r"\s+", " ", token.text).replace("< ", "<").replace(" >", ">"))
        except TypeMismatch as error:
            raise self.error(token, str(error)) from None
