"""From text to tree: the part of the Lucene query syntax that people use on logs.

    query    = chain { chain }              chains side by side: any of them; +must and -must not as usual
    chain    = both { OR both }             OR, ||
    both     = one { AND one }              AND, &&
    one      = [ NOT | ! | + | - ] one | ( query ) | [ field : ] value
    value    = word | "phrase" | [a TO b] | {a TO b} | >a | >=a | <a | <=a | ( query )

`\\` before a character takes its meaning away. `*` and `?` are gaps in a word.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from headrace_core.errors import BadRequest

from headrace_logging.query import dates
from headrace_logging.query.tree import (
    Between,
    Bound,
    Equals,
    Everything,
    Exists,
    Node,
    Not,
    Pattern,
    Period,
    Resembles,
    Wild,
    all_of,
    any_of,
)

MAX_LENGTH = 8_192
MAX_DEPTH = 20
MAX_CLAUSES = 256
MAX_GAPS = 8
MAX_WORD = 512
TIME_FIELDS = frozenset({"gridTimestamp", "@timestamp"})

_ENDS_WORD = frozenset(' \t\r\n\f\v\u3000()[]{}"')
_SPACE = frozenset(" \t\r\n\f\v\u3000")
_WORD_OPERATORS = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR", "NOT": "NOT", "!": "NOT"}
_UNSUPPORTED = {"~": "a similar word", "^": "a weight"}


def parse(text: str, now: datetime) -> Node:
    """The tree of a query; an empty query is true of everything. `now` is what `now` means in it.

    Raises BadRequest that says where the query is wrong and what was expected there.
    """
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"The query has {len(text)} characters, at most {MAX_LENGTH} are read: shorten it.")
    return _Parser(text, now).whole()


@dataclass(frozen=True, slots=True)
class _Clause:
    node: Node
    sign: str  # "+" must, "-" must not, "" should


class _Parser:
    def __init__(self, text: str, now: datetime) -> None:
        self._text = text
        self._now = now
        self._at = 0
        self._clauses = 0

    # The grammar, from the outside in.

    def whole(self) -> Node:
        self._skip_space()
        if self._ended():
            return Everything()
        node = self._query("", 0)
        if not self._ended():
            self._fail("the end of the query or an operator")
        return node

    def _query(self, field: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self._fail(f"at most {MAX_DEPTH} levels of parentheses")
        clauses = [self._chain(field, depth)]
        while not self._ended() and self._peek() != ")":
            clauses.append(self._chain(field, depth))
        return _joined(clauses)

    def _chain(self, field: str, depth: int) -> _Clause:
        parts = [self._both(field, depth)]
        while self._operator("OR"):
            parts.append(self._both(field, depth))
        if len(parts) == 1:
            return parts[0]
        return _Clause(any_of([_plain(part) for part in parts]), "")

    def _both(self, field: str, depth: int) -> _Clause:
        parts = [self._one(field, depth)]
        while self._operator("AND"):
            parts.append(self._one(field, depth))
        if len(parts) == 1:
            return parts[0]
        return _Clause(all_of([_plain(part) for part in parts]), "")

    def _one(self, field: str, depth: int) -> _Clause:
        signs = 0
        sign = ""
        while True:
            if self._operator("NOT"):
                found = "-"
            elif self._peek() in ("+", "-"):
                found = self._take()
                self._skip_space()
            else:
                break
            signs += 1
            if signs > MAX_DEPTH:
                self._fail(f"at most {MAX_DEPTH} signs before a word")
            sign = found if sign != "-" else ("+" if found == "-" else "-")
        node = self._primary(field, depth)
        self._skip_space()
        return _Clause(node, sign)

    def _primary(self, field: str, depth: int) -> Node:
        self._count()
        if field:
            return self._value(field, depth)
        if self._peek() == "(":
            return self._group(field, depth)
        if self._peek() == '"':
            return self._phrase(field)
        start = self._at
        word = self._word(stop_at_colon=True)
        if self._peek() == ":":
            return self._of_field(word, start, depth)
        if not word or self._text[start : self._at] in _WORD_OPERATORS:
            self._fail("a word, a phrase in quotes, field:value or '('", start)
        return self._claim("", word, start)

    def _of_field(self, word: Pattern, start: int, depth: int) -> Node:
        self._take()
        if word == (Wild.MANY,) and self._peek() == "*":
            self._take()
            return Everything()
        name = _literal(word)
        if not name:
            self._fail("a field name before ':'", start)
        return self._value(name, depth)

    def _group(self, field: str, depth: int) -> Node:
        opened = self._at
        self._take()
        self._skip_space()
        node = self._query(field, depth + 1)
        if self._peek() != ")":
            self._fail(f"')' for the '(' at character {opened + 1}")
        self._take()
        return node

    def _value(self, field: str, depth: int) -> Node:
        self._skip_space()
        start = self._at
        match self._peek():
            case "(":
                return self._group(field, depth)
            case '"':
                return self._phrase(field)
            case "[" | "{":
                return self._range(field)
            case "<" | ">":
                return self._comparison(field)
        word = self._word(stop_at_colon=False)
        if not word:
            self._fail(f"a value for {field}", start)
        return self._claim(field, word, start)

    # Claims about one field.

    def _claim(self, field: str, word: Pattern, start: int) -> Node:
        text = _literal(word)
        if field == "_exists_":
            return Exists(self._needs_literal(text, start))
        if word == (Wild.MANY,):
            return Exists(field) if field else Everything()
        if field in TIME_FIELDS:
            stretch = self._time(self._needs_literal(text, start), start)
            return Period(field, stretch.start, stretch.end)
        if text is not None:
            return Equals(field, text)
        if sum(isinstance(piece, Wild) for piece in word) > MAX_GAPS:
            self._fail(f"at most {MAX_GAPS} of * and ? in a word", start)
        return Resembles(field, word)

    def _needs_literal(self, text: str | None, start: int) -> str:
        if not text:
            self._fail("a value without * and ?", start)
        return text

    def _phrase(self, field: str) -> Node:
        start = self._at
        text = self._quoted()
        if field == "_exists_":
            return Exists(text)
        if field in TIME_FIELDS:
            stretch = self._time(text, start)
            return Period(field, stretch.start, stretch.end)
        return Equals(field, text)

    def _comparison(self, field: str) -> Node:
        above = self._take() == ">"
        inclusive = self._peek() == "="
        if inclusive:
            self._take()
        self._skip_space()
        start = self._at
        text = self._quoted() if self._peek() == '"' else _literal(self._word(stop_at_colon=False))
        bound = Bound(self._needs_literal(text, start), inclusive)
        return self._between(field, bound if above else None, None if above else bound, start)

    def _range(self, field: str) -> Node:
        start = self._at
        low_inclusive = self._take() == "["
        low = self._end_of_range()
        self._skip_space()
        if self._text[self._at : self._at + 2] != "TO" or self._text[self._at + 2 : self._at + 3] not in _SPACE:
            self._fail("TO between the two ends of the range")
        self._at += 2
        high = self._end_of_range()
        self._skip_space()
        if self._peek() not in ("]", "}"):
            self._fail("']' or '}' at the end of the range")
        high_inclusive = self._take() == "]"
        return self._between(
            field,
            None if low == "*" else Bound(low, low_inclusive),
            None if high == "*" else Bound(high, high_inclusive),
            start,
        )

    def _end_of_range(self) -> str:
        self._skip_space()
        if self._peek() == '"':
            return self._quoted()
        start = self._at
        letters: list[str] = []
        while not self._ended() and self._peek() not in _ENDS_WORD:
            letters.append(self._escaped() if self._peek() == "\\" else self._take())
        if not letters:
            self._fail("an end of the range: a value or *", start)
        return "".join(letters)

    def _between(self, field: str, low: Bound | None, high: Bound | None, start: int) -> Node:
        if low is None and high is None:
            return Exists(field)
        if field not in TIME_FIELDS:
            return Between(field, low, high)
        # The end of "from the 3rd, exclusive" is the end of that day; of "to the 3rd, inclusive" too.
        begin = self._time(low.text, start) if low else None
        finish = self._time(high.text, start) if high else None
        return Period(
            field,
            None if begin is None or low is None else begin.start if low.inclusive else begin.end,
            None if finish is None or high is None else finish.end if high.inclusive else finish.start,
        )

    def _time(self, text: str, start: int) -> dates.Stretch:
        stretch = dates.parse(text, self._now)
        if stretch is None:
            self._fail("a time: 2026-01-31, 2026-01-31T10:00:00Z, milliseconds since 1970 or now-1d", start)
        return stretch

    # Words and characters.

    def _word(self, *, stop_at_colon: bool) -> Pattern:
        pieces: list[str | Wild] = []
        letters: list[str] = []
        start = self._at
        while not self._ended():
            letter = self._peek()
            if letter in _ENDS_WORD or (letter == ":" and stop_at_colon):
                break
            if letter in _UNSUPPORTED and letters:
                self._fail(f"no {letter!r} ({_UNSUPPORTED[letter]} is not supported; \\{letter} means the character)")
            if letter in "*?":
                if letters:
                    pieces.append("".join(letters))
                    letters = []
                gap = Wild(self._take())
                if not (gap is Wild.MANY and pieces and pieces[-1] is Wild.MANY):
                    pieces.append(gap)
            else:
                letters.append(self._escaped() if letter == "\\" else self._take())
        if letters:
            pieces.append("".join(letters))
        if self._at - start > MAX_WORD:
            self._fail(f"at most {MAX_WORD} characters in a word", start)
        return tuple(pieces)

    def _quoted(self) -> str:
        opened = self._at
        self._take()
        letters: list[str] = []
        while not self._ended() and self._peek() != '"':
            letters.append(self._escaped() if self._peek() == "\\" else self._take())
        if self._ended():
            self._fail(f"a closing quote for the one at character {opened + 1}")
        self._take()
        if self._peek() in _UNSUPPORTED:
            self._fail(f"no {self._peek()!r} after a phrase: it is not supported")
        return "".join(letters)

    def _escaped(self) -> str:
        self._take()
        if self._ended():
            self._fail("a character after '\\'")
        return self._take()

    def _operator(self, name: str) -> bool:
        """Take the operator if it comes next as a word of its own."""
        self._skip_space()
        for spelling, meaning in _WORD_OPERATORS.items():
            if meaning != name or not self._text.startswith(spelling, self._at):
                continue
            after = self._at + len(spelling)
            if spelling == "!" or after >= len(self._text) or self._text[after] in _ENDS_WORD:
                self._at = after
                self._skip_space()
                return True
        return False

    def _count(self) -> None:
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            self._fail(f"at most {MAX_CLAUSES} words and values")

    def _skip_space(self) -> None:
        while self._peek() in _SPACE:
            self._at += 1

    def _ended(self) -> bool:
        return self._at >= len(self._text)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        letter = self._text[self._at]
        self._at += 1
        return letter

    def _fail(self, expected: str, position: int | None = None) -> NoReturn:
        place = self._at if position is None else position
        found = f"found {self._text[place : place + 12]!r}" if place < len(self._text) else "found the end"
        raise BadRequest(
            f"The query is wrong at character {place + 1}: expected {expected}, {found}.",
            details={"position": place + 1, "expected": expected},
        )


def _joined(clauses: list[_Clause]) -> Node:
    """Clauses side by side: every +, no -, and any of the others when there is no +."""
    must = [clause.node for clause in clauses if clause.sign == "+"]
    should = [clause.node for clause in clauses if clause.sign == ""]
    must_not: list[Node] = [Not(clause.node) for clause in clauses if clause.sign == "-"]
    wanted = must or ([any_of(should)] if should else [])
    return all_of([*wanted, *must_not])


def _plain(clause: _Clause) -> Node:
    return Not(clause.node) if clause.sign == "-" else clause.node


def _literal(word: Pattern) -> str | None:
    """The text of a word without gaps; None when it has some."""
    if any(isinstance(piece, Wild) for piece in word):
        return None
    return "".join(piece for piece in word if isinstance(piece, str))
