"""Modifiers of objects. They make new objects: what an earlier step sent is never changed."""

import re

from headrace_core import Json
from headrace_core.expressions import jsonpath
from headrace_core.expressions.environment import Evaluation, ModifierFailed, Value
from headrace_core.expressions.jsonata import evaluate as evaluate_jsonata
from headrace_core.expressions.modifiers.registry import Argument, Arguments, modifier
from headrace_core.expressions.values import json_text, number_of, object_of, parsed

_MAX_INDENT = 10
_SEGMENT = re.compile(r"""\[\s*(?:"([^"]*)"|'([^']*)'|([^\]"']*))\s*\]|([^.\[\]]+)""")


@modifier(
    "stringify",
    "Stringify",
    "The value as JSON text; space indents it by so many blanks.",
    Argument("space", "number", is_hash=True),
    category="object list",
    returns="string",
)
def stringify(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    if isinstance(value, str):
        return json_text(value, ev)
    space = arguments.get(0, "space")
    if isinstance(space, str) and space and not space.strip().isdigit():
        indent: int | str = space[:_MAX_INDENT]
    else:
        indent = min(_MAX_INDENT, int(number_of(space or 0)))
    return json_text(value, ev, indent or None)


@modifier(
    "jsonPath",
    "JSON path",
    "What a JSONPath finds: one value for a plain path, a list when the path can match many.",
    Argument("path", "string", required=True),
    category="object list",
)
def json_path(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    path = arguments.text(0, "path", "", ev)
    return jsonpath.find(path, parsed(value, ev), ev)


@modifier(
    "jsonata",
    "JSONata",
    "The result of a JSONata expression.",
    Argument("expression", "string", required=True),
    category="object list",
)
def jsonata(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    expression = arguments.text(0, "expression", "", ev)
    return evaluate_jsonata(expression, parsed(value, ev), ev, arguments.place)


@modifier(
    "toPairs", "To pairs", "A list with a pair of key and value for each member.", category="object", returns="list"
)
def to_pairs(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return [[key, member] for key, member in object_of(value, ev).items()]


@modifier("keys", "Keys", "The names of the object's members.", category="object", returns="list")
def keys(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return list(object_of(value, ev))


@modifier("values", "Values", "The values of the object's members.", category="object", returns="list")
def values(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return list(object_of(value, ev).values())


@modifier(
    "set",
    "Set",
    "The object with the value at the path replaced or added.",
    Argument("path", "string", required=True),
    Argument("object", "any", required=True),
    category="object",
    returns="object",
)
def set_member(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    path = arguments.text(0, "path", "", ev)
    segments = segments_of(path)
    if not segments or len(segments) > ev.limits.depth:
        raise ModifierFailed(f"the path names none, or more than {ev.limits.depth} levels")
    target = parsed(value, ev)
    if not isinstance(target, (dict, list)):
        target = object_of(target, ev)
    added = arguments.needed(1, "object")
    return _with(target, segments, None if added is None else parsed(added, ev), ev)


def segments_of(path: str) -> list[str]:
    """The keys of a path like `a.b[0]["c d"]`."""
    if len(path) > 2_000:
        raise ModifierFailed("the path is longer than 2,000 characters")
    found = []
    for match in _SEGMENT.finditer(path):
        double, single, bare, name = match.groups()
        found.append(next(each for each in (double, single, bare, name) if each is not None))
    return found


def _with(target: Json, segments: list[str], value: Value, ev: Evaluation) -> Json:
    """A copy of `target` along the path only, with the value at its end."""
    ev.spend(len(target) >> 4 if isinstance(target, (dict, list)) else 1)
    key, rest = segments[0], segments[1:]
    if isinstance(target, list):
        return _with_item(target, key, rest, value, ev)
    made = dict(target) if isinstance(target, dict) else {}
    made[key] = _at_end(made.get(key), rest, value, ev)
    return made


def _with_item(target: list[Json], key: str, rest: list[str], value: Value, ev: Evaluation) -> Json:
    if not key.isascii() or not key.isdigit() or len(key) > 9:
        raise ModifierFailed(f"a list has no member {key[:40]!r}: use a number")
    index = int(key)
    ev.claim_list(index + 1)
    made = target + [None] * (index + 1 - len(target))
    made[index] = _at_end(made[index], rest, value, ev)
    return made


def _at_end(member: Json, rest: list[str], value: Value, ev: Evaluation) -> Json:
    if rest:
        if not isinstance(member, (dict, list)):
            member = [] if rest[0].isascii() and rest[0].isdigit() else {}
        return _with(member, rest, value, ev)
    if isinstance(value, (bool, int, float, str, list, dict)):
        return value
    return None
