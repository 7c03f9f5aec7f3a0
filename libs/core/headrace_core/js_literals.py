"""Literals of JavaScript, read without running anything: objects, lists, texts, numbers and sums of numbers.

What is read is a module of one value: `module.exports = {...}` or `export default {...}`. Comments, 'use strict',
trailing commas, keys without quotes and arithmetic of numbers (`60 * 1000`) are understood; names, calls, functions and
templates with `${` are not, and are refused with their line and column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final, NoReturn

from headrace_core import Json
from headrace_core.errors import BadRequest

MAX_NESTING: Final = 32
MAX_SOURCE: Final = 65_536

SUPPORTED: Final = (
    "Write one literal, module.exports = { … }, of objects, lists, texts, numbers with + - * /, true, false and null."
)

_SPACE: Final = re.compile(r"(?:\s+|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*", re.S)
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*")
_NUMBER: Final = re.compile(
    r"0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?"
)
_STRICT: Final = re.compile(r"""(['"])use strict\1""")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_HEX: Final = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}")
_WORDS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}


def read_module(source: str) -> Json:
    """The value that a module of one literal exports. Raises BadRequest that says where it is something else."""
    if len(source) > MAX_SOURCE:
        raise BadRequest(f"The source has {len(source):,} characters: {MAX_SOURCE:,} are read.")
    return _Reader(source).module()


class _Reader:
    """Where reading is."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0

    def module(self) -> Json:
        self._skip()
        strict = _STRICT.match(self._source, self._at)
        if strict:
            self._at = strict.end()
            self._skip()
            self._take(";")
        self._head()
        value = self._value()
        self._take(";")
        if self._at < len(self._source):
            self._refuse("Nothing may follow the exported value.")
        return value

    def _head(self) -> None:
        first = self._word()
        if first == "module" and self._take(".") and self._word() == "exports" and self._take("="):
            return
        if first == "export" and self._word() == "default":
            return
        self._refuse("Here should stand module.exports = { … }.")

    def _value(self) -> Json:
        """A literal, or a sum of numbers."""
        return self._binary(("+", "-"), lambda: self._binary(("*", "/"), self._signed))

    def _binary(self, signs: tuple[str, ...], operand: Callable[[], Json]) -> Json:
        begin = self._at
        left = operand()
        while sign := next((each for each in signs if self._take(each)), ""):
            place = self._at
            left = self._calculated(sign, self._number(left, begin), self._number(operand(), place), begin)
        return left

    def _calculated(self, sign: str, left: float, right: float, begin: int) -> int | float:
        if sign == "/" and right == 0:
            self._refuse("This divides by zero.", begin)
        found = {"+": left + right, "-": left - right, "*": left * right, "/": left / (right or 1)}[sign]
        return self._finite(found, begin)

    def _finite(self, found: float, begin: int) -> int | float:
        if not math.isfinite(found):
            self._refuse("This number is too large.", begin)
        return int(found) if float(found).is_integer() else found

    def _number(self, value: Json, place: int) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse("Only numbers are added, subtracted, multiplied and divided.", place)
        return float(value)

    def _signed(self) -> Json:
        begin = self._at
        if self._take("-"):
            return self._finite(-self._number(self._nested(self._signed), begin), begin)
        if self._take("("):
            value = self._nested(self._value)
            self._need(")")
            return value
        return self._primary()

    def _primary(self) -> Json:
        letter = self._source[self._at : self._at + 1]
        if letter == "{":
            return self._nested(self._object)
        if letter == "[":
            return self._nested(self._list)
        if letter and letter in "'\"`":
            return self._text()
        number = _NUMBER.match(self._source, self._at)
        if number:
            return self._read_number(number)
        return self._read_word()

    def _read_number(self, number: re.Match[str]) -> int | float:
        text, begin = number[0].replace("_", ""), self._at
        after = self._source[number.end() : number.end() + 1]
        if after.isalnum() or after in ("_", "$", ".") or (len(text) > 1 and text[0] == "0" and text[1].isdigit()):
            self._refuse(f"{number[0]}{after} is no number.")
        self._at = number.end()
        self._skip()
        prefixed = text[:2].lower() in ("0x", "0b", "0o")
        try:
            return self._finite(int(text, 0) if prefixed else float(text), begin)
        except (ValueError, OverflowError):
            self._refuse(f"{number[0][:40]} is no number.", begin)

    def _read_word(self) -> Json:
        begin = self._at
        word = self._word()
        if word in _WORDS:
            return _WORDS[word]
        if not word:
            self._refuse("Here should stand a value." if begin < len(self._source) else "The source ends too early.")
        self._refuse(f"{word[:40]!r} is a name: only values written out are read, and nothing is run.", begin)

    def _object(self) -> dict[str, Json]:
        self._need("{")
        found: dict[str, Json] = {}
        while not self._take("}"):
            place = self._at
            key = self._key()
            if key in found:
                self._refuse(f"The key {key[:40]!r} is there twice.", place)
            self._need(":")
            found[key] = self._value()
            if not self._take(","):
                self._need("}")
                break
        return found

    def _key(self) -> str:
        letter = self._source[self._at : self._at + 1]
        if letter and letter in "'\"":
            return self._text()
        number = _NUMBER.match(self._source, self._at)
        if number:
            return str(self._read_number(number))
        begin, word = self._at, self._word()
        if not word:
            self._refuse("Here should stand a key.")
        if not self._source.startswith(":", self._at):
            self._refuse(f"After the key {word[:40]!r} should stand a colon and a value written out.", begin)
        return word

    def _list(self) -> list[Json]:
        self._need("[")
        found: list[Json] = []
        while not self._take("]"):
            found.append(self._value())
            if not self._take(","):
                self._need("]")
                break
        return found

    def _text(self) -> str:
        begin, quote = self._at, self._source[self._at]
        self._at += 1
        parts: list[str] = []
        while (letter := self._source[self._at : self._at + 1]) != quote:
            if not letter or (letter in "\n\r" and quote != "`"):
                self._refuse("This text has no end.", begin)
            if quote == "`" and self._source.startswith("${", self._at):
                self._refuse("A template with ${ is calculated: write the text out.")
            self._at += 1
            parts.append(self._escaped() if letter == "\\" else letter)
        self._at += 1
        self._skip()
        return "".join(parts)

    def _escaped(self) -> str:
        coded = _HEX.match(self._source, self._at)
        if coded:
            self._at = coded.end()
            code = int(coded[1] or coded[2] or coded[3], 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                self._refuse("There is no such character.", coded.start())
            return chr(code)
        letter = self._source[self._at : self._at + 1]
        self._at += 1
        if letter in ("x", "u") or (letter.isdigit() and letter != "0"):
            self._refuse("This escape says no character.", self._at - 1)
        return _ESCAPES.get(letter, letter)

    def _nested(self, read: Callable[[], Json]) -> Json:
        self._depth += 1
        if self._depth > MAX_NESTING:
            self._refuse(f"Values are nested more than {MAX_NESTING} deep.")
        value = read()
        self._depth -= 1
        return value

    def _word(self) -> str:
        found = _NAME.match(self._source, self._at)
        if found:
            self._at = found.end()
            self._skip()
        return found[0] if found else ""

    def _take(self, sign: str) -> bool:
        if not self._source.startswith(sign, self._at):
            return False
        self._at += len(sign)
        self._skip()
        return True

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            self._refuse(f"Here should stand {sign!r}." if self._at < len(self._source) else f"{sign!r} is missing.")

    def _skip(self) -> None:
        found = _SPACE.match(self._source, self._at)
        self._at = found.end() if found else self._at
        if self._source.startswith("/*", self._at):
            self._refuse("This comment has no end.")

    def _refuse(self, said: str, at: int | None = None) -> NoReturn:
        place = self._at if at is None else at
        line = self._source.count("\n", 0, place) + 1
        column = place - (self._source.rfind("\n", 0, place) + 1) + 1
        raise BadRequest(f"Line {line}, column {column}: {said}")
