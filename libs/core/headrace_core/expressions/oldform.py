"""The old form of a variable: the expression itself stands between the braces.

{{{$.<componentId>.<outPort>.<field>}}}                a path
{{{g_formatDate $.id.out.when "YYYY-MM-DD"}}}          a modifier with its value and arguments
{{{g_join (g_map $.id.out.people "name") separator="; "}}}

expression = path | call
call       = name argument* (name "=" argument)*
argument   = text in quotes | number | true | false | null | undefined | path | "(" expression ")"
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from headrace_core import Json

_QUOTES = "\"'"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_WORDS: Mapping[str, Json] = {"true": True, "false": False, "null": None, "undefined": None}
_MAX_CHARS = 20_000
_MAX_DEPTH = 32


class BadExpression(ValueError):
    """The text between the braces is no expression. The message says why."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written out."""

    value: Json


@dataclass(frozen=True, slots=True)
class Variable:
    """A path, read later."""

    path: str


@dataclass(frozen=True, slots=True)
class Call:
    """A modifier applied to its first argument."""

    name: str
    arguments: tuple["Expression", ...]
    named: Mapping[str, "Expression"]


Expression: TypeAlias = Literal | Variable | Call


def closing(text: str, start: int) -> int:
    """Where the expression that begins at `start` ends: the first "}}}" outside quotes, or -1."""
    quote = ""
    position = start
    while position < len(text):
        character = text[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif text.startswith("}}}", position):
            return position
        elif character in _QUOTES and text[position - 1] in " =(":
            quote = character
        position += 1
    # An apostrophe in a field's name is no quote after all.
    return text.find("}}}", start) if quote else -1


def parse(source: str) -> Expression:
    """Parse what stands between the braces. Raises `BadExpression`."""
    if len(source) > _MAX_CHARS:
        raise BadExpression(f"it has more than {_MAX_CHARS} characters")
    if not source:
        raise BadExpression("it is empty")
    if not _is_call(source):
        return Variable(source)
    parser = _Parser(source)
    found = parser.call(0)
    if not parser.at_end():
        raise BadExpression(f'"{parser.rest()[:20]}" is left over')
    return found


def _is_call(source: str) -> bool:
    """Paths may hold blanks, so only the name of a modifier, or a bracket, begins a call."""
    return source.startswith(("g_", "("))


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0

    def rest(self) -> str:
        return self._source[self._position :]

    def at_end(self) -> bool:
        self._skip_blanks()
        return self._position >= len(self._source)

    def call(self, depth: int) -> Expression:
        if depth > _MAX_DEPTH:
            raise BadExpression(f"it is nested deeper than {_MAX_DEPTH} levels")
        self._skip_blanks()
        if self._peek() == "(":
            return self._argument(depth)
        name = self._word()
        arguments: list[Expression] = []
        named: dict[str, Expression] = {}
        while not self.at_end() and self._peek() != ")":
            key = self._key()
            if key:
                named[key] = self._argument(depth)
            else:
                arguments.append(self._argument(depth))
        if not arguments and not named and not name.startswith("g_"):
            return _word_value(name)
        return Call(name, tuple(arguments), named)

    def _argument(self, depth: int) -> Expression:
        self._skip_blanks()
        first = self._peek()
        if first == "(":
            self._position += 1
            inner = self.call(depth + 1)
            self._skip_blanks()
            if self._peek() != ")":
                raise BadExpression('a ")" is missing')
            self._position += 1
            return inner
        if first and first in _QUOTES:
            return Literal(self._quoted(first))
        return _word_value(self._word())

    def _key(self) -> str:
        """The name of a named argument, when one stands here."""
        end = self._position
        while end < len(self._source) and (self._source[end].isalnum() or self._source[end] in "_-"):
            end += 1
        if end == self._position or not self._source.startswith("=", end):
            return ""
        key = self._source[self._position : end]
        self._position = end + 1
        return key

    def _quoted(self, quote: str) -> str:
        pieces: list[str] = []
        position = self._position + 1
        while position < len(self._source):
            character = self._source[position]
            if character == quote:
                self._position = position + 1
                return "".join(pieces)
            if character == "\\" and position + 1 < len(self._source):
                position += 1
                character = self._escaped(self._source[position], quote)
            pieces.append(character)
            position += 1
        raise BadExpression("a text has no closing quote")

    @staticmethod
    def _escaped(character: str, quote: str) -> str:
        """Only quotes, backslashes and line ends are escaped, so that patterns keep their backslashes."""
        if character in (quote, "\\"):
            return character
        return _ESCAPES.get(character, "\\" + character)

    def _word(self) -> str:
        """A name, number or path: up to the next blank or bracket outside square brackets."""
        start = self._position
        in_brackets = False
        while self._position < len(self._source):
            character = self._source[self._position]
            if character == "[":
                in_brackets = True
            elif character == "]":
                in_brackets = False
            elif not in_brackets and (character.isspace() or character in "()"):
                break
            self._position += 1
        if start == self._position:
            raise BadExpression(f'"{self.rest()[:20]}" is not expected')
        return self._source[start : self._position]

    def _peek(self) -> str:
        return self._source[self._position : self._position + 1]

    def _skip_blanks(self) -> None:
        while self._peek().isspace():
            self._position += 1


def _word_value(word: str) -> Expression:
    if word in _WORDS:
        return Literal(_WORDS[word])
    number = _number(word)
    return Variable(word) if number is None else Literal(number)


def _number(word: str) -> int | float | None:
    digits = word.removeprefix("-")
    whole, _, fraction = digits.partition(".")
    if len(word) > 40 or not (whole + fraction).isdigit() or not word.isascii() or not whole:
        return None
    return float(word) if fraction else (int(word) if "." not in word else None)
