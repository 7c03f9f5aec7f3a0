"""JSONata's grammar: from text to a tree, by operator precedence."""

from dataclasses import dataclass
from typing import TypeAlias

from headrace_core import Json
from headrace_core.expressions.environment import ModifierFailed


@dataclass(frozen=True, slots=True)
class Literal:
    value: Json


@dataclass(frozen=True, slots=True)
class Regex:
    source: str
    flags: str


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    is_deep: bool


@dataclass(frozen=True, slots=True)
class Path:
    """Steps that follow one another; `keeps_list` (written `[]`) keeps a list of one a list."""

    steps: tuple["Node", ...]
    keeps_list: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    of: "Node"
    predicate: "Node"


@dataclass(frozen=True, slots=True)
class Group:
    """An object: of the context when `of` is None, else of what `of` finds, grouped by its keys."""

    of: "Node | None"
    pairs: tuple[tuple["Node", "Node"], ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Block:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Binary:
    sign: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Negated:
    of: "Node"


@dataclass(frozen=True, slots=True)
class Condition:
    test: "Node"
    then: "Node"
    otherwise: "Node | None"


@dataclass(frozen=True, slots=True)
class Bind:
    name: str
    value: "Node"


@dataclass(frozen=True, slots=True)
class Lambda:
    parameters: tuple[str, ...]
    body: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    function: "Node"
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """A "?" among arguments: the call gives a function that waits for it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What `of` finds, sorted by the terms; True marks a descending one."""

    of: "Node"
    terms: tuple[tuple["Node", bool], ...]


Node: TypeAlias = (
    Literal | Regex | Name | Variable | Wildcard | Path | Filter | Group | ListOf | Block | Binary | Negated
    | Condition | Bind | Lambda | Call | Hole | Order
)  # fmt: skip

_POWERS = {
    ":=": 10, "?": 20, "?:": 20, "??": 20, "..": 20, "or": 25, "and": 30, "=": 40, "!=": 40, "<": 40, "<=": 40,
    ">": 40, ">=": 40, "^": 40, "~>": 40, "in": 40, "+": 50, "-": 50, "&": 50, "*": 60, "/": 60, "%": 60,
    "{": 70, ".": 75, "[": 80, "(": 80, "@": 80, "#": 80,
}  # fmt: skip
_SIGNS = (":=", "!=", "<=", ">=", "~>", "..", "**", "??", "?:", *".[]{}(),;:?+-*/%|=<>^&@#")
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_REFUSED = {
    "@": "bindings of the context (@)",
    "#": "bindings of the position (#)",
    "%": "parents (%)",
    "|": "transforms (|…|)",
}
_MAX_DEPTH = 40
_MAX_CHARS_OF_NUMBER = 40

Token: TypeAlias = tuple[str, str]
"""Kind (`name`, `quoted name`, `text`, `number`, `variable`, `sign`, `end`) and text."""


def parse(source: str) -> Node:
    """The tree of an expression. Raises `ModifierFailed` saying where it cannot be read."""
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._depth = 0
        self._token: Token = ("end", "")
        self._advance()

    def whole(self) -> Node:
        if self._token[0] == "end":
            raise ModifierFailed("the expression is empty")
        found = self._expression(0)
        if self._token[0] != "end":
            raise self._wrong()
        return found

    def _expression(self, power: int) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ModifierFailed(f"the expression is nested deeper than {_MAX_DEPTH} levels")
        left = self._first()
        while self._power() > power:
            left = self._next(left)
        self._depth -= 1
        return left

    def _power(self) -> int:
        kind, text = self._token
        return _POWERS.get(text, 0) if kind in ("sign", "name") else 0

    # What begins an expression.

    def _first(self) -> Node:
        kind, text = self._token
        if kind == "sign":
            return self._first_sign(text)
        self._advance()
        match kind:
            case "text":
                return Literal(text)
            case "number":
                return Literal(self._number(text))
            case "variable":
                return Variable(text)
            case "quoted name":
                return Path((Name(text),))
            case "name":
                return self._word(text)
            case _:
                raise ModifierFailed("the expression ends too early")

    def _word(self, text: str) -> Node:
        if text in _WORDS:
            return Literal(_WORDS[text])
        if text in ("function", "λ") and self._token == ("sign", "("):
            return self._lambda()
        return Path((Name(text),))

    def _first_sign(self, sign: str) -> Node:
        if sign == "/":
            return self._regex()
        if sign in ("*", "**"):
            self._advance()
            return Path((Wildcard(sign == "**"),))
        if sign in _REFUSED:
            raise ModifierFailed(f"this JSONata leaves out {_REFUSED[sign]}")
        self._advance()
        match sign:
            case "(":
                return self._block()
            case "[":
                return ListOf(self._listed("]"))
            case "{":
                return Group(None, self._pairs())
            case "-":
                return Negated(self._expression(70))
            case _:
                raise self._wrong()

    def _block(self) -> Node:
        items: list[Node] = []
        while not self._is(")"):
            items.append(self._expression(0))
            if not self._take(";"):
                break
        self._need(")")
        return Block(tuple(items))

    def _listed(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._is(end):
            items.append(self._argument() if end == ")" else self._expression(0))
            if not self._take(","):
                break
        self._need(end)
        return tuple(items)

    def _argument(self) -> Node:
        if self._is("?"):
            self._advance()
            return Hole()
        return self._expression(0)

    def _pairs(self) -> tuple[tuple[Node, Node], ...]:
        pairs: list[tuple[Node, Node]] = []
        while not self._is("}"):
            key = self._expression(0)
            self._need(":")
            pairs.append((key, self._expression(0)))
            if not self._take(","):
                break
        self._need("}")
        return tuple(pairs)

    def _lambda(self) -> Node:
        self._need("(")
        names: list[str] = []
        while not self._is(")"):
            kind, text = self._token
            if kind != "variable":
                raise self._wrong()
            names.append(text)
            self._advance()
            if not self._take(","):
                break
        self._need(")")
        if self._is("<"):
            raise ModifierFailed("this JSONata leaves out signatures of functions (<…>)")
        self._need("{")
        body = self._expression(0)
        self._need("}")
        return Lambda(tuple(names), body)

    # What goes on with what stands on the left.

    def _next(self, left: Node) -> Node:
        sign = self._token[1]
        if sign in ("@", "#"):
            raise ModifierFailed(f"this JSONata leaves out {_REFUSED[sign]}")
        self._advance()
        match sign:
            case ".":
                return _path(left, self._expression(75))
            case "[":
                return self._bracket(left)
            case "{":
                return Group(left, self._pairs())
            case "(":
                return Call(_callee(left), self._listed(")"))
            case "^":
                return self._order(left)
            case "?":
                return self._condition(left)
            case ":=":
                if not isinstance(left, Variable):
                    raise self._wrong()
                return Bind(left.name, self._expression(9))
            case _:
                return Binary(sign, left, self._expression(_POWERS[sign]))

    def _bracket(self, left: Node) -> Node:
        if self._take("]"):
            return Path(left.steps if isinstance(left, Path) else (left,), keeps_list=True)
        predicate = self._expression(0)
        self._need("]")
        if isinstance(left, Path):
            # A filter belongs to the last step, so that it holds for what each parent has.
            return Path((*left.steps[:-1], Filter(left.steps[-1], predicate)), left.keeps_list)
        return Filter(left, predicate)

    def _order(self, left: Node) -> Node:
        self._need("(")
        terms: list[tuple[Node, bool]] = []
        while True:
            descending = self._take(">")
            if not descending:
                self._take("<")
            terms.append((self._expression(0), descending))
            if not self._take(","):
                break
        self._need(")")
        return Order(left, tuple(terms))

    def _condition(self, test: Node) -> Node:
        then = self._expression(0)
        return Condition(test, then, self._expression(0) if self._take(":") else None)

    # Tokens.

    def _is(self, sign: str) -> bool:
        return self._token == ("sign", sign)

    def _take(self, sign: str) -> bool:
        if not self._is(sign):
            return False
        self._advance()
        return True

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._wrong()

    def _advance(self) -> None:
        self._skip()
        character = self._source[self._position : self._position + 1]
        if not character:
            self._token = ("end", "")
        elif character in "\"'":
            self._token = ("text", self._quoted(character))
        elif character == "`":
            end = self._end_of("`")
            self._token = ("quoted name", self._source[self._position + 1 : end])
            self._position = end + 1
        elif character.isdigit() and character.isascii():
            self._token = ("number", self._numeral())
        elif character == "$":
            self._position += 1
            # "$$" is the root: a variable whose name is "$".
            self._token = ("variable", "$" if self._source.startswith("$", self._position) else self._plain_name())
            self._position += self._token[1] == "$"
        else:
            self._token = self._sign_or_name()

    def _sign_or_name(self) -> Token:
        for sign in _SIGNS:
            if self._source.startswith(sign, self._position):
                self._position += len(sign)
                return "sign", sign
        name = self._plain_name()
        if not name:
            raise ModifierFailed(f'the expression has a "{self._source[self._position]}" that means nothing')
        return "name", name

    def _skip(self) -> None:
        while True:
            while self._source[self._position : self._position + 1].isspace():
                self._position += 1
            if not self._source.startswith("/*", self._position):
                return
            end = self._source.find("*/", self._position + 2)
            if end < 0:
                raise ModifierFailed("a comment has no end")
            self._position = end + 2

    def _plain_name(self) -> str:
        start = self._position
        while (each := self._source[self._position : self._position + 1]) and (each.isalnum() or each == "_"):
            self._position += 1
        return self._source[start : self._position]

    def _numeral(self) -> str:
        start = self._position
        self._digits()
        # "1..5" is a range: a dot belongs to the number only before a digit.
        if self._source[self._position : self._position + 1] == "." and self._digit_at(self._position + 1):
            self._position += 1
            self._digits()
        if self._source[self._position : self._position + 1] in ("e", "E"):
            after = self._position + 1 + (self._source[self._position + 1 : self._position + 2] in ("+", "-"))
            if self._digit_at(after):
                self._position = after
                self._digits()
        return self._source[start : self._position]

    def _digits(self) -> None:
        while self._digit_at(self._position):
            self._position += 1

    def _digit_at(self, position: int) -> bool:
        return "0" <= self._source[position : position + 1] <= "9"

    @staticmethod
    def _number(text: str) -> int | float:
        if len(text) > _MAX_CHARS_OF_NUMBER:
            raise ModifierFailed("a number has too many digits")
        found = int(text) if text.isdigit() else float(text)
        if found in (float("inf"), float("-inf")):
            raise ModifierFailed(f"the number {text} is too large")
        return found

    def _quoted(self, quote: str) -> str:
        pieces: list[str] = []
        position = self._position + 1
        while (character := self._source[position : position + 1]) != quote:
            if not character:
                raise ModifierFailed("a text has no closing quote")
            if character == "\\":
                character, position = self._escaped(position + 1)
            else:
                position += 1
            pieces.append(character)
        self._position = position + 1
        return "".join(pieces)

    def _escaped(self, position: int) -> tuple[str, int]:
        kind = self._source[position : position + 1]
        digits = self._source[position + 1 : position + 5]
        if kind == "u" and len(digits) == 4 and all(each in "0123456789abcdefABCDEF" for each in digits):
            return chr(int(digits, 16)), position + 5
        return _ESCAPES.get(kind, kind), position + 1

    def _regex(self) -> Node:
        # The token was read as a sign; its text begins right behind it.
        start = self._position
        end = start
        while (character := self._source[end : end + 1]) != "/":
            if not character:
                raise ModifierFailed("a regular expression has no end")
            end += 2 if character == "\\" else 1
        self._position = end + 1
        flags = self._plain_name()
        self._advance()
        return Regex(self._source[start:end], flags)

    def _end_of(self, quote: str) -> int:
        end = self._source.find(quote, self._position + 1)
        if end < 0:
            raise ModifierFailed("a name has no closing quote")
        return end

    def _wrong(self) -> ModifierFailed:
        kind, text = self._token
        return ModifierFailed(
            "the expression ends too early" if kind == "end" else f'the expression does not expect "{text[:20]}"'
        )


def _path(left: Node, right: Node) -> Node:
    before = left.steps if isinstance(left, Path) else (left,)
    after = right.steps if isinstance(right, Path) else (right,)
    keeps = (isinstance(left, Path) and left.keeps_list) or (isinstance(right, Path) and right.keeps_list)
    # A text as a step is a name with blanks in it: data."order id".
    steps = tuple(
        Name(each.value) if isinstance(each, Literal) and isinstance(each.value, str) else each
        for each in (*before, *after)
    )
    return Path(steps, keeps)


def _callee(left: Node) -> Node:
    """`$f(x)` in a path calls for every item: the call belongs to the last step, which is no path then."""
    if isinstance(left, Path):
        raise ModifierFailed("only functions, whose names begin with $, can be called")
    return left
