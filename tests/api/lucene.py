"""Hostile searches of the log, each made together with what it finds: the text goes to the platform, the test stays.

Only claims whose meaning needs no knowledge of words are made this way: whole values, gaps in them, ranges of time, and
what AND, OR, NOT make of those. A part of the searches is bent afterwards; of those is known that they find the same
everywhere, or are refused everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeAlias
from urllib.parse import quote

from .brute_force import Item
from .furnishing import LOG_WORDS

Test: TypeAlias = Callable[[Item], bool]

RECORDS = len(LOG_WORDS) * 3
"""How many records the flow's runs leave: two of the webhook and one of the answer, each."""
FIELDS = ("severity", "flowId", "componentId", "componentType", "correlationId", "portType", "senderId", "type")
SORTED = ("_id", "componentId", "correlationId", "severity")
VALUES = [
    "", " ", "*", "?", "**", "a*", "AND", "OR", "NOT", "TO", "&&", "||", "!", "+", "-", "(", ")", "[", "]", "{",
    "}", '"', "\\", "/re/", "~", "~2", "^", "^5", ":", "::", "field:x", "_exists_", "$where", '{"match_all":{}}',
    '{"script":"1"}', "' OR 1=1", "; DROP TABLE records; --", "%", "_", "GLOB", "NEAR", "words_1", "\x00", "a\x00b",
    "💥", "é", "É", "İ", "ı", "ß", "\u202e", "\u3000", "\n", "\t", "null", "true", "0", "1e309", "9" * 400,
    "a" * 500, "bobscanary", "[a TO b]", "now", "<", ">", "=",
]  # fmt: skip
BENDS = [
    "(", ")", '"', "\\", "[", "]", "{", "}", ":", "*", "?", "~", "^", " AND ", " OR ", "NOT ", "+", "-", "!", "/",
    "\x00", "💥", "TO",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Search:
    """A search; `test` says what it finds, and is missing where only the text is known."""

    text: str
    test: Test | None
    parameters: tuple[tuple[str, str], ...]
    is_about_times: bool

    def query(self, own: Mapping[str, str]) -> str:
        """The parameters as they stand in a URL."""
        given = [("query", self.text), *own.items(), *self.parameters]
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in given)

    def complaints(self, records: Sequence[Item], said: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with an answer, given all records that might be in it."""
        assert self.test is not None
        wanted = [record for record in records if self.test(record)]
        given = dict(self.parameters)
        if said["total"] != len(wanted):
            yield f"total {said['total']} instead of {len(wanted)}"
        ids = [hit["_id"] for hit in said["hits"]]
        if sort := given.get("sort"):
            name, _, direction = sort.partition(":")
            wanted.sort(key=lambda record: record["_id"])
            wanted.sort(key=lambda record: _key(record, name), reverse=direction == "desc")
            start = int(given.get("from", "0"))
            page = [record["_id"] for record in wanted[start : start + int(given["size"])]]
            if ids != page:
                yield f"hits {ids[:5]!r}… instead of {page[:5]!r}…"
        elif sorted(ids) != sorted(record["_id"] for record in wanted):
            yield f"{len(ids)} hits that are not the {len(wanted)} wanted"
        if any(record not in records for record in said["hits"]):
            yield "a hit that is not among all records"


@dataclass(slots=True)
class Searcher:
    """Makes searches; equal seeds and equal records make equal ones."""

    random: Random
    values: Mapping[str, Sequence[str]]
    times: Sequence[str]

    @classmethod
    def of(cls, random: Random, records: Sequence[Item]) -> Searcher:
        """Who asks about these records."""
        # Ids differ from platform to platform, and one seed is to ask the same of all.
        known = {name: sorted({record[name] for record in records if name in record}) for name in FIELDS}
        known["flowId"], known["senderId"] = [], known["senderId"] or ["hook"]
        return cls(random, known, sorted({record["gridTimestamp"] for record in records}))

    def next(self) -> Search:
        """The next search."""
        text, test = self._clause(0)
        about_times = "gridTimestamp" in text
        known: Test | None = test
        if self.random.random() < 0.4:
            text, known = self._bent(text), None
            # What is bent may ask for times in any way.
            about_times = about_times or "imestamp" in text
        return Search(text, known, self._parameters(), about_times)

    def _parameters(self) -> tuple[tuple[str, str], ...]:
        random = self.random
        if random.random() < 0.5:
            return (("size", "1000"), ("trace", "true"))
        sort = f"{random.choice(SORTED)}:{random.choice(['asc', 'desc'])}"
        page = (("size", str(random.choice([1, 7, 1000]))), ("from", str(random.choice([0, 1, 5]))))
        return (("sort", sort), *page, ("trace", "true"))

    def _clause(self, depth: int) -> tuple[str, Test]:
        random = self.random
        if depth > 3 or random.random() < 0.45:
            return self._claim()
        one, is_one = self._clause(depth + 1)
        other, is_other = self._clause(depth + 1)
        match random.choice(["and", "or", "not", "signs", "group"]):
            case "and":
                return f"({one} {random.choice(['AND', '&&'])} {other})", lambda each: is_one(each) and is_other(each)
            case "or":
                return f"({one} {random.choice(['OR', '||', ''])} {other})", lambda each: is_one(each) or is_other(each)
            case "not":
                return f"({random.choice(['NOT ', '!', '-'])}{one})", lambda each: not is_one(each)
            case "signs":
                return f"(+{one} -{other})", lambda each: is_one(each) and not is_other(each)
            case _:
                return f"(({one}))", is_one

    def _claim(self) -> tuple[str, Test]:
        random = self.random
        name = random.choice(FIELDS)
        if random.random() < 0.1:
            return self._between_times()
        if random.random() < 0.1:
            return f"_exists_:{name}", lambda each: name in each
        value = random.choice([*self.values[name], random.choice(VALUES)])
        if random.random() < 0.3 and value and len(value) < 100:
            return self._gaps(name, value)
        wanted = _keyword(value)
        said = _quoted(value) if not value or random.random() < 0.4 else _word(value)
        return f"{name}:{said}", lambda each: name in each and _keyword(each[name]) == wanted

    def _gaps(self, name: str, value: str) -> tuple[str, Test]:
        """Some of the value's letters left open."""
        parts: list[tuple[str, str]] = []
        for letter in value:
            chance = self.random.random()
            gap = ("*", ".*") if chance < 0.08 else ("?", ".") if chance < 0.16 else None
            parts.append(gap or (_word(letter), re.escape(_keyword(letter))))
        parts.append(self.random.choice([("*", ".*"), ("", ""), ("", "")]))
        if sum(said in ("*", "?") for said, _ in parts) > 8 or not "".join(said for said, _ in parts).strip("*"):
            return self._claim()
        pattern = re.compile("".join(meant for _, meant in parts), re.DOTALL)
        text = "".join(said for said, _ in parts)
        return f"{name}:{text}", lambda each: name in each and bool(pattern.fullmatch(_keyword(each[name])))

    def _between_times(self) -> tuple[str, Test]:
        low, high = sorted([self.random.choice(self.times), self.random.choice(self.times)])
        start, end = _stretch(low)[0], _stretch(high)[1]
        return f"gridTimestamp:[{low} TO {high}]", lambda each: start <= _stretch(each["gridTimestamp"])[0] < end

    def _bent(self, text: str) -> str:
        for _ in range(self.random.choice([1, 1, 2, 4])):
            place = self.random.randrange(len(text) + 1)
            piece = self.random.choice([*BENDS, self.random.choice(VALUES)])
            text = self.random.choice(
                [text[:place] + piece + text[place:], text[:place] + text[place + 1 :], text + piece]
            )
        return text[:4000]


def _stretch(written: str) -> tuple[datetime, datetime]:
    """From when until just before when this is: a whole millisecond, where no more digits are written."""
    start = datetime.fromisoformat(written)
    precision = "milliseconds" if len(written.partition(".")[2]) == len("000Z") else "microseconds"
    return start, start + timedelta(**{precision: 1})


def _key(record: Item, name: str) -> str:
    value = str(record.get(name, ""))
    return value if name == "_id" else _keyword(value)


def _keyword(text: str) -> str:
    """Whole values are compared in lower case; NUL is not kept."""
    return text.lower().replace("\0", "")


def _word(text: str) -> str:
    """A text with every character that might mean something taken for itself."""
    if text in ("AND", "OR", "NOT", "TO"):
        return f"\\{text}"
    return "".join(letter if letter.isalnum() and letter.isascii() else f"\\{letter}" for letter in text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
