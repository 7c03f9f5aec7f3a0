"""Which fields of a record an answer carries."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from headrace_core import Json
from headrace_core.errors import BadRequest

from headrace_logging.query.matching import fits
from headrace_logging.query.tree import Pattern, Wild

MAX_PATTERNS = 100
_ALWAYS = ("_id", "_index")


def projected(fields: dict[str, Json], includes: Sequence[str], excludes: Sequence[str]) -> dict[str, Json]:
    """The fields whose dotted name fits one of `includes` (all when empty) and none of `excludes`.

    `*` stands for any characters. The name of an object stands for all inside. `_id` and `_index` always stay.
    Raises BadRequest when there are too many patterns.
    """
    if not includes and not excludes:
        return fields
    if len(includes) + len(excludes) > MAX_PATTERNS:
        raise BadRequest(f"includes and excludes take at most {MAX_PATTERNS} names together.")
    wanted, unwanted = _names(tuple(includes)), _names(tuple(excludes))
    shown: dict[str, Json] = {}
    for path, value in _leaves((), fields):
        name = ".".join(path)
        if name in _ALWAYS or ((not includes or wanted.hold(name)) and not unwanted.hold(name)):
            _put(shown, path, value)
    return shown


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of fields, some of them with gaps. They are compared piece by piece: a regular expression of a caller's
    gaps could take longer than anybody waits."""

    plain: frozenset[str]
    open: tuple[Pattern, ...]

    def hold(self, name: str) -> bool:
        """Whether the dotted name, or the name of an object around it, is among them."""
        around = [name, *(name[:at] for at, letter in enumerate(name) if letter == ".")] if self.plain else ()
        return any(each in self.plain for each in around) or any(fits(name, each) for each in self.open)


@lru_cache(maxsize=64)
def _names(names: tuple[str, ...]) -> _Names:
    with_gaps = [_pattern(name) for name in names if "*" in name]
    inside = [_followed(each) for each in with_gaps]
    return _Names(frozenset(name for name in names if "*" not in name), (*with_gaps, *inside))


def _pattern(name: str) -> Pattern:
    """The pieces of a name; gaps side by side are one."""
    first, *rest = re.split(r"\*+", name)
    pieces = [first, *(piece for part in rest for piece in (Wild.MANY, part))]
    return tuple(piece for piece in pieces if piece != "")


def _followed(pattern: Pattern) -> Pattern:
    """What lies inside of an object of such a name."""
    return (*pattern, ".", Wild.MANY)


def _leaves(path: tuple[str, ...], value: dict[str, Json]) -> Iterator[tuple[tuple[str, ...], Json]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _leaves((*path, name), inner)
        else:
            yield (*path, name), inner


def _put(target: dict[str, Json], path: tuple[str, ...], value: Json) -> None:
    *parents, last = path
    for name in parents:
        inner = target.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        target = inner
    target[last] = value
