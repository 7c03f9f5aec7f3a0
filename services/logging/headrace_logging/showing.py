"""Which fields of a record an answer carries."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from headrace_core import Json
from headrace_core.errors import BadRequest

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
    wanted, unwanted = _pattern(tuple(includes)), _pattern(tuple(excludes))
    shown: dict[str, Json] = {}
    for path, value in _leaves((), fields):
        name = ".".join(path)
        if name in _ALWAYS or ((not includes or wanted.fullmatch(name)) and not unwanted.fullmatch(name)):
            _put(shown, path, value)
    return shown


@lru_cache(maxsize=64)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    choices = "|".join(".*".join(re.escape(part) for part in re.split(r"\*+", name)) for name in names)
    return re.compile(rf"(?:{choices})(?:\..*)?", re.DOTALL) if names else re.compile(r"(?!)")


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
