"""Pipelines over documents, as MongoDB's clients write them. Pure functions; nothing in them runs code or writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from headrace_sdk import documents
from headrace_sdk.documents import MISSING, Document, fits, is_equal, ordered, put, spelled, unknown, value_at
from headrace_sdk.errors import CancelError

MOST_STAGES: Final = 50


def aggregated(found: Iterable[Document], pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
    """What the stages make of the documents, one after the other. Raises CancelError for a word that is not known."""
    if len(pipeline) > MOST_STAGES:
        raise CancelError(f"A pipeline has at most {MOST_STAGES} stages.")
    kept = list(found)
    for stage in pipeline:
        if len(stage) != 1:
            raise CancelError("A stage has one name.")
        [(name, given)] = stage.items()
        carry_out = _STAGES.get(name)
        if carry_out is None:
            raise unknown(name)
        kept = carry_out(kept, given)
    return kept


def value_of(document: Document, expression: Any) -> Any:
    """What an expression comes to for a document; MISSING where there is nothing."""
    if isinstance(expression, str) and expression.startswith("$"):
        return _field(document, expression)
    if isinstance(expression, list):
        return [_or_null(value_of(document, each)) for each in expression]
    if not isinstance(expression, dict):
        return expression
    if not any(name.startswith("$") for name in expression):
        made = {name: value_of(document, each) for name, each in expression.items()}
        return {name: value for name, value in made.items() if value is not MISSING}
    if len(expression) != 1:
        raise CancelError("An expression has one name.")
    [(name, given)] = expression.items()
    if name == "$literal":
        return given
    if name in _BRANCHES:
        return _BRANCHES[name](document, given)
    if name not in _OPERATORS:
        raise unknown(name)
    return _OPERATORS[name]([value_of(document, each) for each in (given if isinstance(given, list) else [given])])


def _field(document: Document, expression: str) -> Any:
    if expression.startswith("$$"):
        name, _, path = expression[2:].partition(".")
        if name not in ("ROOT", "CURRENT"):
            raise unknown(f"$${name}")
        return _through(document, path) if path else document
    return _through(document, expression[1:])


def _through(value: Any, path: str) -> Any:
    """What stands at a path; of a list on the way what stands there in each of its objects."""
    for number, part in enumerate(parts := path.split(".")):
        if isinstance(value, list):
            rest = ".".join(parts[number:])
            inner = [_through(each, rest) for each in value if isinstance(each, dict)]
            return [each for each in inner if each is not MISSING]
        value = value_at(value, part)
    return value


# Stages.


def _project(found: list[Document], given: Mapping[str, Any]) -> list[Document]:
    computed = {name: each for name, each in given.items() if not _is_flag(each)}
    flags = {name: each for name, each in given.items() if _is_flag(each)}
    if not computed:
        return [documents.projected(each, flags) for each in found]
    made = []
    for each in found:
        names = {name: flag for name, flag in flags.items() if flag}
        kept = documents.projected(each, {**names, "_id": flags.get("_id", 1)}) if names else {}
        if not names and flags.get("_id", 1) and "_id" in each:
            kept = {"_id": each["_id"]}
        made.append(_added({**kept}, each, computed))
    return made


def _added(into: Document, document: Document, fields: Mapping[str, Any]) -> Document:
    for name, expression in fields.items():
        value = value_of(document, expression)
        if value is not MISSING:
            put(into, name, value)
    return into


def _add_fields(found: list[Document], given: Mapping[str, Any]) -> list[Document]:
    return [_added(documents.unpacked(documents.packed(each)), each, given) for each in found]


def _unset(found: list[Document], given: Any) -> list[Document]:
    names = given if isinstance(given, list) else [given]
    return [documents.projected(each, dict.fromkeys(names, 0)) for each in found]


def _group(found: list[Document], given: Mapping[str, Any]) -> list[Document]:
    groups: dict[str, tuple[Any, list[Document]]] = {}
    for each in found:
        key = _or_null(value_of(each, given.get("_id")))
        groups.setdefault(spelled(key), (key, []))[1].append(each)
    return [
        {"_id": key, **{name: _gathered(members, each) for name, each in given.items() if name != "_id"}}
        for key, members in groups.values()
    ]


def _gathered(members: list[Document], accumulator: Mapping[str, Any]) -> Any:
    if not isinstance(accumulator, dict) or len(accumulator) != 1:
        raise CancelError("A field of a group has one accumulator.")
    [(name, expression)] = accumulator.items()
    if name == "$count":
        return len(members)
    if name not in _ACCUMULATORS:
        raise unknown(name)
    return _ACCUMULATORS[name]([value_of(each, expression) for each in members])


def _unwind(found: list[Document], given: Any) -> list[Document]:
    options: Mapping[str, Any] = given if isinstance(given, dict) else {"path": given}
    path = str(options.get("path", "")).removeprefix("$")
    made: list[Document] = []
    for each in found:
        value = value_at(each, path)
        items = value if isinstance(value, list) else [] if value in (None, MISSING) else [value]
        if not items and options.get("preserveNullAndEmptyArrays"):
            whole = documents.unpacked(documents.packed(each))
            if isinstance(value, list):
                documents.unset(whole, path)
            made.append(whole)
        for index, item in enumerate(items):
            one = documents.unpacked(documents.packed(each))
            put(one, path, item)
            if options.get("includeArrayIndex"):
                put(one, str(options["includeArrayIndex"]), index)
            made.append(one)
    return made


def _replace_root(found: list[Document], expression: Any) -> list[Document]:
    made = [value_of(each, expression) for each in found]
    if not all(isinstance(each, dict) for each in made):
        raise CancelError("What takes the place of a document is an object.")
    return made


def _sort_by_count(found: list[Document], expression: Any) -> list[Document]:
    groups = _group(found, {"_id": expression, "count": {"$sum": 1}})
    return documents.sort(groups, {"count": -1})


_STAGES: Mapping[str, Callable[[list[Document], Any], list[Document]]] = {
    "$match": lambda found, given: [each for each in found if fits(each, given)],
    "$project": _project,
    "$addFields": _add_fields,
    "$set": _add_fields,
    "$unset": _unset,
    "$group": _group,
    "$sort": documents.sort,
    "$limit": lambda found, given: found[: int(given)],
    "$skip": lambda found, given: found[int(given) :],
    "$unwind": _unwind,
    "$count": lambda found, given: [{str(given): len(found)}] if found else [],
    "$sortByCount": _sort_by_count,
    "$replaceRoot": lambda found, given: _replace_root(found, given.get("newRoot")),
    "$replaceWith": _replace_root,
}


# Accumulators and operators.


def _numbers(values: Iterable[Any]) -> list[int | float]:
    return [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]


def _average(values: Iterable[Any]) -> Any:
    found = _numbers(values)
    return sum(found) / len(found) if found else None


def _most(sign: int) -> Callable[[Iterable[Any]], Any]:
    def pick(values: Iterable[Any]) -> Any:
        best: Any = None
        for each in values:
            if each not in (None, MISSING) and (best is None or ordered(each, best) * sign > 0):
                best = each
        return best

    return pick


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for each in values:
        if each is not MISSING:
            found.setdefault(spelled(each), each)
    return [*found.values()]


_ACCUMULATORS: Mapping[str, Callable[[list[Any]], Any]] = {
    "$sum": lambda values: sum(_numbers(values)),
    "$avg": _average,
    "$min": _most(-1),
    "$max": _most(1),
    "$first": lambda values: _or_null(values[0]) if values else None,
    "$last": lambda values: _or_null(values[-1]) if values else None,
    "$push": lambda values: [each for each in values if each is not MISSING],
    "$addToSet": _distinct,
}


def _or_null(value: Any) -> Any:
    return None if value is MISSING else value


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1))


def _is_true(value: Any) -> bool:
    return value not in (None, MISSING, False) and not (value == 0 and not isinstance(value, str | list | dict))


def _arithmetic(name: str, work: Callable[..., Any], count: int | None = None) -> Callable[[list[Any]], Any]:
    def calculate(values: list[Any]) -> Any:
        if any(each in (None, MISSING) for each in values):
            return None
        if len(_numbers(values)) != len(values) or (count is not None and len(values) != count):
            raise CancelError(f"{name} takes {count or 'only'} numbers.")
        try:
            return work(*values)
        except ZeroDivisionError:
            raise CancelError(f"{name} cannot divide by 0.") from None

    return calculate


def _compare(holds: Callable[[int], bool]) -> Callable[[list[Any]], Any]:
    return lambda values: holds(ordered(*_two(values)))


def _two(values: list[Any]) -> tuple[Any, Any]:
    if len(values) != 2:
        raise CancelError("A comparison has two sides.")
    return values[0], values[1]


def _text_of(value: Any) -> str:
    return "" if value in (None, MISSING) else value if isinstance(value, str) else spelled(value)


def _concat(values: list[Any]) -> Any:
    if any(each in (None, MISSING) for each in values):
        return None
    if not all(isinstance(each, str) for each in values):
        raise CancelError("$concat takes texts.")
    return "".join(values)


def _list_of(values: list[Any], name: str) -> list[Any]:
    if not values or not isinstance(values[0], list):
        raise CancelError(f"{name} takes a list.")
    return values[0]


def _element(values: list[Any]) -> Any:
    if values[0] in (None, MISSING):
        return None
    found, index = _list_of(values, "$arrayElemAt"), int(values[1])
    return found[index] if -len(found) <= index < len(found) else MISSING


def _flat(values: list[Any]) -> list[Any]:
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def _round(value: float, places: int = 0) -> Any:
    factor = 10**places
    half_up = math.floor(abs(value) * factor + 0.5) / factor
    return math.copysign(half_up, value) if places > 0 else int(math.copysign(half_up, value))


_OPERATORS: Mapping[str, Callable[[list[Any]], Any]] = {
    "$add": _arithmetic("$add", lambda *values: sum(values)),
    "$subtract": _arithmetic("$subtract", lambda one, other: one - other, 2),
    "$multiply": _arithmetic("$multiply", lambda *values: math.prod(values)),
    "$divide": _arithmetic("$divide", lambda one, other: one / other, 2),
    "$mod": _arithmetic("$mod", lambda one, other: math.fmod(one, other) if other else 1 % 0, 2),
    "$abs": _arithmetic("$abs", abs, 1),
    "$floor": _arithmetic("$floor", math.floor, 1),
    "$ceil": _arithmetic("$ceil", math.ceil, 1),
    "$round": _arithmetic("$round", _round),
    "$concat": _concat,
    "$toUpper": lambda values: _text_of(values[0]).upper(),
    "$toLower": lambda values: _text_of(values[0]).lower(),
    "$toString": lambda values: None if values[0] in (None, MISSING) else _text_of(values[0]),
    "$eq": lambda values: is_equal(*_two(values)),
    "$ne": lambda values: not is_equal(*_two(values)),
    "$gt": _compare(lambda order: order > 0),
    "$gte": _compare(lambda order: order >= 0),
    "$lt": _compare(lambda order: order < 0),
    "$lte": _compare(lambda order: order <= 0),
    "$cmp": lambda values: ordered(*_two(values)),
    "$not": lambda values: not _is_true(values[0]),
    "$size": lambda values: len(_list_of(values, "$size")),
    "$arrayElemAt": _element,
    "$in": lambda values: any(is_equal(values[0], each) for each in _list_of(values[1:], "$in")),
    "$concatArrays": lambda values: [item for each in values for item in _list_of([each], "$concatArrays")],
    "$sum": lambda values: sum(_numbers(_flat(values))),
    "$avg": lambda values: _average(_flat(values)),
    "$min": lambda values: _most(-1)(_flat(values)),
    "$max": lambda values: _most(1)(_flat(values)),
    "$first": lambda values: _element([values[0], 0]),
    "$last": lambda values: _element([values[0], -1]),
}


def _cond(document: Document, given: Any) -> Any:
    parts = [given.get(name) for name in ("if", "then", "else")] if isinstance(given, dict) else list(given)
    if len(parts) != 3:
        raise CancelError("$cond has three parts.")
    return value_of(document, parts[1] if _is_true(value_of(document, parts[0])) else parts[2])


def _if_null(document: Document, given: Any) -> Any:
    found: Any = None
    for each in given:
        found = value_of(document, each)
        if found not in (None, MISSING):
            break
    return found


def _switch(document: Document, given: Mapping[str, Any]) -> Any:
    for branch in given.get("branches", ()):
        if _is_true(value_of(document, branch.get("case"))):
            return value_of(document, branch.get("then"))
    return value_of(document, given.get("default"))


_BRANCHES: Mapping[str, Callable[[Document, Any], Any]] = {
    "$cond": _cond,
    "$ifNull": _if_null,
    "$switch": _switch,
    "$and": lambda document, given: all(_is_true(value_of(document, each)) for each in given),
    "$or": lambda document, given: any(_is_true(value_of(document, each)) for each in given),
}
