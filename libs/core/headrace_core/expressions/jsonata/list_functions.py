"""JSONata's functions of lists and objects."""

import functools
from random import Random

from headrace_core.expressions.environment import MISSING, ModifierFailed
from headrace_core.expressions.jsonata.kinds import Function, Sequence, appended, as_items, looked_up, truth
from headrace_core.expressions.jsonata.toolbox import (
    Toolbox,
    function,
    number_in,
    plain_json,
)
from headrace_core.expressions.values import identity


@function("append", 2, 2, nothing=False)
def _append(given: list[object], tools: Toolbox) -> object:
    return appended(given[0], given[1], tools.ev)


@function("reverse", 1, 1)
def _reverse(given: list[object], tools: Toolbox) -> object:
    return list(reversed(as_items(given[0])))


@function("shuffle", 1, 1)
def _shuffle(given: list[object], tools: Toolbox) -> object:
    made = list(as_items(given[0]))
    Random(tools.draw()).shuffle(made)
    return made


@function("distinct", 1, 1)
def _distinct(given: list[object], tools: Toolbox) -> object:
    if not isinstance(given[0], list):
        return given[0]
    seen: set[object] = set()
    made = Sequence()
    for item in given[0]:
        tools.ev.spend()
        key = identity(plain_json(item, tools.ev), tools.ev)
        if key not in seen:
            seen.add(key)
            made.append(item)
    return made


@function("sort", 1, 2)
def _sort(given: list[object], tools: Toolbox) -> object:
    items = as_items(given[0])
    if given[1] is MISSING:
        tools.ev.spend(len(items))
        if all(isinstance(item, str) for item in items):
            return sorted(items, key=tools.needed_text)
        return sorted(items, key=number_in)

    def compare(left: object, right: object) -> int:
        # Sorting asks only whether `left` comes first: when the function says that it comes after.
        return -1 if truth(tools.call(given[1], [right, left])) else 0

    return sorted(items, key=functools.cmp_to_key(compare))


@function("zip", 1, 8, nothing=False)
def _zip(given: list[object], tools: Toolbox) -> object:
    lists = [as_items(each) for each in given if each is not MISSING]
    return [list(each) for each in zip(*lists, strict=False)]


@function("map", 2, 2)
def _map(given: list[object], tools: Toolbox) -> object:
    items = as_items(given[0])
    made = Sequence()
    for index, item in enumerate(items):
        value = tools.with_item(given[1], item, index, items)
        if value is not MISSING:
            made.append(value)
    return made


@function("filter", 2, 2)
def _filter(given: list[object], tools: Toolbox) -> object:
    items = as_items(given[0])
    return Sequence([item for index, item in enumerate(items) if truth(tools.with_item(given[1], item, index, items))])


@function("single", 1, 2)
def _single(given: list[object], tools: Toolbox) -> object:
    items = as_items(given[0])
    fits = given[1] is MISSING
    found = [each for n, each in enumerate(items) if fits or truth(tools.with_item(given[1], each, n, items))]
    if len(found) != 1:
        raise ModifierFailed(f"$single finds {len(found)} items instead of one")
    return found[0]


@function("reduce", 2, 3)
def _reduce(given: list[object], tools: Toolbox) -> object:
    items = list(as_items(given[0]))
    if given[2] is not MISSING:
        items.insert(0, given[2])
    if not items:
        return MISSING
    found = items[0]
    for item in items[1:]:
        found = tools.call(given[1], [found, item])
    return found


@function("keys", 1, 1, context=True)
def _keys(given: list[object], tools: Toolbox) -> object:
    names: dict[str, None] = {}
    for each in as_items(given[0]):
        tools.ev.spend()
        if isinstance(each, dict):
            names.update(dict.fromkeys(each))
    return Sequence(names)


@function("lookup", 2, 2, context=True)
def _lookup(given: list[object], tools: Toolbox) -> object:
    return looked_up(given[0], tools.needed_text(given[1]), tools.ev)


@function("spread", 1, 1, context=True)
def _spread(given: list[object], tools: Toolbox) -> object:
    made = Sequence()
    for each in as_items(given[0]):
        tools.ev.spend()
        if not isinstance(each, dict):
            return given[0]
        made.extend([{key: value} for key, value in each.items()])
        tools.ev.claim_list(len(made))
    return made


@function("merge", 1, 1)
def _merge(given: list[object], tools: Toolbox) -> object:
    made: dict[object, object] = {}
    for each in as_items(given[0]):
        if not isinstance(each, dict):
            raise ModifierFailed("$merge takes a list of objects")
        tools.ev.spend(len(each) + 1)
        made.update(each)
    return made


@function("each", 2, 2)
def _each(given: list[object], tools: Toolbox) -> object:
    made = Sequence()
    for key, value in _object(given[0]).items():
        found = _member_call(given[1], key, value, tools)
        if found is not MISSING:
            made.append(found)
    return made


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ModifierFailed("a function wants an object and gets something else")
    return value


@function("sift", 2, 2)
def _sift(given: list[object], tools: Toolbox) -> object:
    kept = {key: value for key, value in _object(given[0]).items() if truth(_member_call(given[1], key, value, tools))}
    return kept or MISSING


def _member_call(called: object, key: str, value: object, tools: Toolbox) -> object:
    arity = called.arity if isinstance(called, Function) else 1
    return tools.call(called, [value, key][: max(1, arity)])


@function("type", 1, 1)
def _type(given: list[object], tools: Toolbox) -> object:
    value = given[0]
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (str, "string"), (list, "array"), (dict, "object"), (Function, "function")):
        if isinstance(value, kind):
            return name
    return "number"


@function("error", 0, 1, nothing=False)
def _error(given: list[object], tools: Toolbox) -> object:
    raise ModifierFailed(tools.text(given[0])[:200] or "$error was called")


@function("assert", 1, 2, nothing=False)
def _assert(given: list[object], tools: Toolbox) -> object:
    if not truth(given[0]):
        raise ModifierFailed(tools.text(given[1])[:200] or "$assert failed")
    return MISSING
