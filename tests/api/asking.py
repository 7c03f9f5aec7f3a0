"""Hostile questions to lists, made from a seed and from what the lists hold: filters, orders, pages, projections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

from .brute_force import Listing, Parameters
from .patterns import some_pattern

LONGEST_TARGET = 15_000
"""Bytes of a path with its query; what is longer is refused as such, which is not what is asked here."""
NAMES = [
    "$where", "$or", "customFields.$ne", "customFields.v.$gt", "metadata.$where", "value.$regex", "__proto__",
    "__class__", "_id", "tenant_id", "userId", "removed", "f.tenant_id", "v.descriptor", "rowid", "password",
    "credentials.hash", "name) OR (1=1", "name--", "'", '"', "`", "\\", "*", "%", "..", ".", ".name", "name.",
    "customFields..v", "a.b.c", "customFields.a.b", "customFields.", "customFields.v.0", "customFields.v.a.b", "é",
    "💥", "\u202e", "\ufffd", "x" * 256, "x" * 257, "", "a\nb", "\x00", "name\x00", "name ", " name", "NAME",
    "name[$ne]", "{\"$where\"", "flow", "sharedWith",
]  # fmt: skip
"""Fields that are none, or somebody else's business."""
VALUES = [
    "", " ", "null", "true", "false", "True", "undefined", "NaN", "Infinity", "-Infinity", "nil", "[]", "{}",
    "[object Object]", '{"$ne":null}', '{"$gt":""}', '{"$where":"1"}', "[$ne]", "$where", "this.name==1",
    "1;sleep(9000)", "function(){}", "' OR '1'='1", "'; DROP TABLE flows; --", '" OR ""="', "1 OR 1=1", "%", "_",
    "%%", "a%", "\\", "\\'", "/*", "--", ";", "\x00", "a\x00b", "\x1f", "\r\n", "\u2028", "\u202e", "\ufffd", "💥",
    "é", "e\u0301", "ß", "SS", "İ", "ı", "ſ", "K", "0", "-0", "00", "007", "1", "1.0", "1.10", "1.50", "01", "+1",
    "-1", "0x10", "1_000", "٣", "1e3", "1E+3", "1e-3", "1e309", "-1e309", "9" * 18, "9" * 19, "9" * 21, "9" * 400,
    "9007199254740993", "9223372036854775807", "18446744073709551615", "18446744073709551616", "0.1",
    "0.30000000000000004", ".5", "5.", "1e", "--1", "2026-01-31", "2026-01-31T00:00:00.000Z", "0001-01-01",
    "9999-12-31", "now", "*", "?", "~", "!", ">", "<", ">>", "!!", "~~", "!~a", ">=1", "<=1", "a:b", ":", "::",
    "a,b", "../../etc/passwd", "{{{$.a}}}", "${7*7}", "a" * 5_000, "𝔘" * 100, "bobscanary",
]  # fmt: skip
WHOLE_FILTERS = [
    "", "nocolon", ":", ":x", "::", "a\n:x", "$where:this.x", '{"$where":"1"}', '{"name":{"$ne":null}}',
    "name[$ne]:1", "name=x", "name;x", "\x00:\x00", "!:!", "~:~", "name:", "name:!", "name:~", "name:>", "name:<",
    "name:!!", "name:>true", "name:<null", "x" * 257 + ":1", "x" * 256 + ":1",
]  # fmt: skip
WHOLE_NUMBERS = [
    "0",
    "1",
    "2",
    "5",
    "1000",
    "1001",
    "-1",
    "1e3",
    "٣",
    "",
    " 5",
    "+5",
    "5.0",
    "9" * 12,
    "9" * 13,
    "0x1",
    "ten",
]
DIRECTIONS = ["", ":1", ":-1", ":asc", ":desc"]
WRONG_DIRECTIONS = [":0", ":2", ":", ":1:1", ":DESC", "::1", ": 1"]
UNKNOWN_PARAMETERS = [
    "filter[$where]",
    "filter[name][$ne]",
    "$where",
    "where",
    "query",
    "FILTER",
    "filter ",
    "__proto__",
]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a list: its parameters, and whether only the number is asked for."""

    parameters: Parameters
    only_count: bool = False

    def query(self, random: Random) -> str:
        """The parameters as they stand in a URL; what is no UTF-8 there is read as U+FFFD."""
        return "&".join(f"{_encoded(name, random)}={_encoded(value, random)}" for name, value in self.parameters)


@dataclass(slots=True)
class Asker:
    """Makes questions to one list; equal seeds and equal lists make equal ones."""

    random: Random
    names: Sequence[str]
    values: Sequence[str]
    has_projection: bool
    has_count: bool

    @classmethod
    def of(cls, random: Random, listing: Listing, *, has_projection: bool, has_count: bool) -> Asker:
        """Who asks about what the list holds, and about what it does not."""
        names = sorted({name for item in listing.items for name in _names(item)})
        values = sorted({text for item in listing.items for text in _texts(item)})
        return cls(random, names, values, has_projection, has_count)

    def next(self) -> Asked:
        """The next question."""
        random = self.random
        made: list[tuple[str, str]] = []
        times = random.choice([0, 1, 1, 1, 1, 2, 2, 3]) if random.random() < 0.98 else random.choice([50, 51, 60])
        made += [(random.choice(["filter", "filter", "filter[]"]), self._filter()) for _ in range(times)]
        if random.random() < 0.35:
            made += [("sort", self._sort()) for _ in range(random.choice([1, 1, 2]))]
        if random.random() < 0.15:
            made.append(("pattern", self._pattern()))
        for name in ("limit", "offset"):
            if random.random() < 0.2:
                made.append((name, random.choice(["1", "2", "7", random.choice(WHOLE_NUMBERS)])))
        if self.has_projection and random.random() < 0.25:
            made.append(("projection", self._projection()))
        if random.random() < 0.05:
            made.append((random.choice(UNKNOWN_PARAMETERS), random.choice(VALUES)))
        random.shuffle(made)
        while sum(len(quote(value)) + 20 for _, value in made) > LONGEST_TARGET:
            made.pop()
        return Asked(made, self.has_count and random.random() < 0.2)

    def _filter(self) -> str:
        random = self.random
        if random.random() < 0.08:
            return random.choice(WHOLE_FILTERS)
        sign = random.choice(["", "", "", "!", "!", "~", "~", ">", "<"])
        if sign == "~" and random.random() < 0.9:
            return f"{self._name()}:~{some_pattern(random)}"
        return f"{self._name()}:{sign}{self._value() if sign != '~' else 'a'}"

    def _name(self) -> str:
        random = self.random
        name = random.choice(self.names) if self.names and random.random() < 0.75 else random.choice(NAMES)
        if random.random() < 0.08:
            name += random.choice([".x", ".0", ".$ne", ".", " ", "\x00", ".length"])
        return name

    def _value(self) -> str:
        random = self.random
        value = random.choice(self.values) if self.values and random.random() < 0.6 else random.choice(VALUES)
        if random.random() < 0.1:
            value = random.choice([value + "0", value[:-1], value.upper(), value + "\x00", f"{value}'", value * 2])[
                :5000
            ]
        return value

    def _sort(self) -> str:
        random = self.random
        if random.random() < 0.05:
            return ",".join(["name"] * random.choice([10, 11]))
        directions = DIRECTIONS if random.random() < 0.9 else WRONG_DIRECTIONS
        keys = [self._name() + random.choice(directions) for _ in range(random.choice([1, 1, 2, 3]))]
        return ",".join(keys)

    def _pattern(self) -> str:
        value = self._value()
        start = self.random.randrange(len(value) + 1)
        return self.random.choice([value, value[start : start + 3], value.upper(), value.lower(), "a" * 2000])

    def _projection(self) -> str:
        random = self.random
        times = random.choice([1, 2, 3]) if random.random() < 0.98 else random.choice([100, 101])
        names = [random.choice([*self.names, *NAMES[:12]])[:100] for _ in range(times)]
        sign = random.choice(["", "-"])
        mixed = random.random() < 0.05
        return ",".join(("" if mixed and number else sign) + name for number, name in enumerate(names))


def _names(value: Any, before: str = "") -> Iterator[str]:
    """Every dotted name that leads somewhere in a value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield before + name
            yield from _names(inner, f"{before}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner, before)


def _texts(value: Any) -> Iterator[str]:
    """Every word in a value, as it may stand in a URL."""
    match value:
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case None | bool():
            yield {None: "null", True: "true", False: "false"}[value]
        case _:
            yield str(value)


def _encoded(text: str, random: Random) -> str:
    done = quote(text, safe=random.choice(["", "", ":$'()!*"]))
    if random.random() < 0.3:
        done = done.replace("%20", "+").replace("%EF%BF%BD", "%FF")
    return done
