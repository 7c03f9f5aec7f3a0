"""Modifiers of lists. Where a list is expected, JSON text of one is read, and nothing counts as empty."""

from collections.abc import Sequence
from random import Random

from headrace_core import Json
from headrace_core.expressions.environment import MISSING, Evaluation, Missing, ModifierFailed, Value
from headrace_core.expressions.modifiers.registry import Argument, Arguments, Block, modifier
from headrace_core.expressions.paths import parse_path, walk
from headrace_core.expressions.values import (
    are_equal,
    identity,
    is_truthy,
    list_of,
    number,
    number_of,
    parsed,
    text_of,
)


@modifier(
    "length", "Length", "How many items a list, or characters a text, has.", category="list text", returns="number"
)
def length(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return len(value) if isinstance(value, (str, list, dict)) else 0


def _keys(path: str) -> Sequence[str]:
    """The keys of a member's path, taken apart once for all items."""
    return parse_path(path).keys if path else ()


def _or_null(value: Value) -> Json:
    return None if isinstance(value, Missing) else value


@modifier(
    "pick",
    "Pick",
    "The member at the path: of the object, or of every item of the list.",
    Argument("path", "string", required=True),
    category="list object",
)
def pick(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    keys = _keys(arguments.text(0, "path", "", ev))
    source = parsed(value, ev)
    if not isinstance(source, list):
        return walk(source, keys)
    ev.spend(len(source))
    return [_or_null(walk(item, keys)) for item in source]


def _rounds(value: Value, block: Block, ev: Evaluation) -> list[tuple[Json, Value]]:
    """Every item with what the block makes of it."""
    source = parsed(value, ev)
    if isinstance(source, dict):
        members: Sequence[tuple[Json, Json]] = list(source.items())
    else:
        members = list(enumerate(list_of(source, ev)))
    ev.claim_list(len(members))
    count = len(members)
    return [(item, block.over(item, index, key, count, ev)) for index, (key, item) in enumerate(members)]


def _block(arguments: Arguments, name: str) -> Block:
    if arguments.block is None:
        raise ModifierFailed(f'the argument "{name}" is missing')
    return arguments.block


@modifier(
    "map",
    "Map",
    "A list with something made of every item: the member of that name, or a text with @item, @index and so on.",
    Argument("predicate", "any", is_block=True, required=True),
    category="list",
    returns="list",
)
def map_items(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    block = _block(arguments, "predicate")
    if block.is_literal:
        keys = _keys(text_of(block.render(ev), ev))
        items = list_of(value, ev)
        ev.spend(len(items))
        return [_or_null(walk(item, keys)) for item in items]
    return [_or_null(made) for _, made in _rounds(value, block, ev)]


@modifier(
    "each",
    "Each",
    "One text: the iteration once for every item, which it reads as @item, @index, @first, @last or @<field>.",
    Argument("iteration", "string", is_block=True, required=True),
    category="list",
    returns="string",
)
def each_item(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    texts = [text_of(made, ev) for _, made in _rounds(value, _block(arguments, "iteration"), ev)]
    return _joined(texts, "", ev)


@modifier(
    "filterList",
    "Filter list",
    "The items for which the value, made from @item and so on, is true. A plain text keeps the items equal to "
    "it, and the objects in which the member of that name is true.",
    Argument("value", "any", is_block=True, required=True),
    category="list",
    returns="list",
)
def filter_list(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    block = _block(arguments, "value")
    if not block.is_literal:
        return [item for item, made in _rounds(value, block, ev) if _keeps(made)]
    wanted = block.render(ev)
    keys = _keys(text_of(wanted, ev))
    return [item for item in list_of(value, ev) if _is_wanted(item, wanted, keys, ev)]


def _keeps(made: Value) -> bool:
    """Whether a rendered condition is true; one that went through a text says so in words."""
    if isinstance(made, str):
        return made not in ("", "false", "0", "null", "undefined")
    return is_truthy(made)


def _is_wanted(item: Json, wanted: Value, keys: Sequence[str], ev: Evaluation) -> bool:
    ev.spend()
    if isinstance(item, (dict, list)) and isinstance(wanted, str):
        return bool(keys) and is_truthy(walk(item, keys))
    return are_equal(item, wanted, ev)


@modifier(
    "join",
    "Join",
    "One text with all items, the separator between them (a comma when none is given).",
    Argument("separator", "string"),
    category="list",
    returns="string",
)
def join(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    items = list_of(value, ev)
    ev.spend(len(items))
    return _joined([text_of(item, ev) for item in items], arguments.text(0, "separator", ",", ev), ev)


def _joined(texts: Sequence[str], separator: str, ev: Evaluation) -> str:
    ev.claim(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _sequence(value: Value, ev: Evaluation) -> Sequence[Json]:
    """A list, or the characters of a text that is not JSON of one."""
    found = parsed(value, ev)
    return found if isinstance(found, str) else list_of(found, ev)


@modifier("first", "First", "The first item of a list, or character of a text.", category="list")
def first(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    items = _sequence(value, ev)
    return items[0] if items else MISSING


@modifier("last", "Last", "The last item of a list, or character of a text.", category="list")
def last(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    items = _sequence(value, ev)
    return items[-1] if items else MISSING


@modifier(
    "nthIndex",
    "Nth item",
    "The item at the index, counted from 0, or from the end when it is negative.",
    Argument("index", "number", required=True),
    category="list",
)
def nth_index(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    items = _sequence(value, ev)
    index = arguments.integer(0, "index", 0)
    return items[index] if -len(items) <= index < len(items) else MISSING


@modifier(
    "initial",
    "Initial",
    "The list without its last n items (1 when no number is given).",
    Argument("n", "number"),
    category="list",
    returns="list",
)
def initial(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    items = list_of(value, ev)
    return list(items[: max(0, len(items) - max(0, arguments.integer(0, "n", 1)))])


@modifier(
    "tail",
    "Tail",
    "The list without its first items: as many as skip says (1 when no number is given).",
    Argument("skip", "number"),
    category="list",
    returns="list",
)
def tail(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return list(list_of(value, ev)[max(0, arguments.integer(0, "skip", 1)) :])


@modifier("reverse", "Reverse", "The list, last item first.", category="list", returns="list")
def reverse(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return list(reversed(list_of(value, ev)))


@modifier(
    "flatten",
    "Flatten",
    "The list with the items of lists in it put in their place; deep also flattens what is in those.",
    Argument("deep", "boolean"),
    category="list",
    returns="list",
)
def flatten(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    levels = ev.limits.depth if arguments.flag(0, "deep") else 1
    made: list[Json] = []
    # Iterators instead of recursion: data may be nested deeper than Python calls.
    open_lists = [iter(list_of(value, ev))]
    while open_lists:
        ev.spend()
        item = next(open_lists[-1], MISSING)
        if isinstance(item, Missing):
            open_lists.pop()
        elif isinstance(item, list) and len(open_lists) <= levels:
            open_lists.append(iter(item))
        else:
            made.append(item)
            ev.claim_list(len(made))
    return made


def _numbers(value: Value, ev: Evaluation) -> list[int | float]:
    items = list_of(value, ev)
    ev.spend(len(items))
    return [number_of(item) for item in items if item is not None and item != ""]


@modifier("sum", "Sum", "All numbers of the list added up.", category="list number", returns="number")
def sum_list(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return number(sum(_numbers(value, ev)))


@modifier("maxList", "Largest in list", "The largest number of the list.", category="list number", returns="number")
def max_list(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = _numbers(value, ev)
    return number(max(found)) if found else MISSING


@modifier("minList", "Smallest in list", "The smallest number of the list.", category="list number", returns="number")
def min_list(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = _numbers(value, ev)
    return number(min(found)) if found else MISSING


@modifier(
    "avgList", "Average of list", "The mean of the numbers of the list.", category="list number", returns="number"
)
def avg_list(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = _numbers(value, ev)
    return number(sum(found) / len(found)) if found else MISSING


@modifier("shuffle", "Shuffle", "The items in an order left to chance.", category="list", returns="list")
def shuffle(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    made = list(list_of(value, ev))
    ev.claim_list(len(made))
    # Chance, not secrecy: the seed makes it repeatable.
    Random(ev.draw(arguments.place)).shuffle(made)
    return made


@modifier(
    "deduplicate",
    "Deduplicate",
    "The list without repetitions: of whole items, or of items with the same value of the property.",
    Argument("property", "string"),
    category="list",
    returns="list",
)
def deduplicate(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    keys = _keys(arguments.text(0, "property", "", ev))
    seen: set[object] = set()
    made: list[Json] = []
    for item in list_of(value, ev):
        ev.spend()
        key = identity(walk(item, keys), ev)
        if key not in seen:
            seen.add(key)
            made.append(item)
    return made
