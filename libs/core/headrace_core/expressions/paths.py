"""Variable paths: where a variable reads its value.

    $.<componentId>.<outPort>.<field>.<sub>   from the output of an earlier step
    <field>.<sub>                             from the incoming content
    @name.<sub>, ../@name.<sub>               from the round of a block modifier, or of one further out

Field names may hold blanks. A number, or `[0]`, picks from a list.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from headrace_core.expressions.environment import MISSING, Evaluation, Loop, Value
from headrace_core.expressions.values import member_at

Reader: TypeAlias = Callable[[Evaluation], Value]

_INDEXES = re.compile(r"\[(\d{1,9})\]")
_INDEXED = re.compile(r"[^\[\]]*(?:\[\d{1,9}\])+\Z")
MAX_PATH_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Path:
    """A variable path taken apart. `node_id` is "" unless it reads an earlier step."""

    node_id: str
    port: str
    keys: tuple[str, ...]
    loop_name: str = ""
    loop_levels: int = 0


def parse_path(path: str) -> Path:
    """Take a path apart. Raises `ValueError` saying what is wrong with it."""
    text = path.strip()
    if not text or len(text) > MAX_PATH_CHARS:
        raise ValueError("is empty" if not text else f"is longer than {MAX_PATH_CHARS} characters")
    if text.startswith(("../", "@")):
        return _loop_path(text)
    if text.startswith("$."):
        segments = text[2:].split(".")
        if len(segments) < 2 or not segments[0] or not segments[1]:
            raise ValueError("names no component and port: write $.<component id>.<port>.<field>")
        return Path(segments[0], segments[1], _keys(segments[2:]))
    if text in ("this", "."):
        return Path("", "", ())
    return Path("", "", _keys(text.removeprefix("this.").split(".")))


def _loop_path(text: str) -> Path:
    levels = 0
    rest = text.replace("@../", "../@") if text.startswith("@../") else text
    while rest.startswith("../"):
        levels += 1
        rest = rest[3:]
    if not rest.startswith("@") or len(rest) < 2:
        raise ValueError("names nothing of the loop: write @item, @index or @<field>")
    name, *segments = rest[1:].split(".")
    return Path("", "", _keys(segments), loop_name=name, loop_levels=levels)


def _keys(segments: Sequence[str]) -> tuple[str, ...]:
    """The keys, where a segment that is only an index (`to.[0].address`) stands for its number."""
    keys = []
    for segment in segments:
        indexes = _INDEXES.findall(segment)
        if indexes and _INDEXED.match(segment) and segment.startswith("["):
            keys.extend(indexes)
        elif segment.startswith("[") and segment.endswith("]") and len(segment) > 2:
            keys.append(segment[1:-1])
        else:
            keys.append(segment)
    return tuple(keys)


def reader_of(path: Path) -> Reader:
    """A function that reads what the path names."""
    if path.loop_name:
        return _loop_reader(path)
    keys = path.keys
    if not path.node_id:
        return lambda ev: walk(ev.env.content, keys)
    node_id, port = path.node_id, path.port
    if not keys:
        return lambda ev: ev.env.scope.lookup(node_id, port)
    if len(keys) == 1 and "[" not in keys[0]:
        return _field_reader(node_id, port, keys[0])
    return lambda ev: walk(ev.env.scope.lookup(node_id, port), keys)


def _field_reader(node_id: str, port: str, key: str) -> Reader:
    def read(ev: Evaluation) -> Value:
        output = ev.env.scope.lookup(node_id, port)
        if type(output) is dict:
            return output.get(key, MISSING)
        return member_at(output, key)

    return read


def _loop_reader(path: Path) -> Reader:
    levels, name, keys = path.loop_levels, path.loop_name, path.keys

    def read(ev: Evaluation) -> Value:
        if levels >= len(ev.loops):
            return MISSING
        return walk(_of_loop(ev.loops[-1 - levels], name), keys)

    return read


def _of_loop(loop: Loop, name: str) -> Value:
    match name:
        case "item" | "value" | "this":
            return loop.item
        case "index":
            return loop.index
        case "key":
            return loop.key
        case "first":
            return loop.index == 0
        case "last":
            return loop.index == loop.length - 1
        case "length":
            return loop.length
        case _:
            return step_into(loop.item, name)


def walk(value: Value, keys: Sequence[str]) -> Value:
    """Follow keys into a value; `MISSING` where one is not there."""
    for key in keys:
        value = step_into(value, key)
        if value is MISSING:
            break
    return value


def step_into(value: Value, key: str) -> Value:
    """One key further: the member of that very name, else, for `name[0]`, the item of the member."""
    found = member_at(value, key)
    if found is MISSING and "[" in key and _INDEXED.match(key):
        found = member_at(value, key[: key.index("[")])
        for index in _INDEXES.findall(key):
            found = member_at(found, index)
    return found
