"""JSONata's functions. `$eval` is not among them on purpose."""

import base64
import functools
import math
import urllib.parse
from collections.abc import Callable
from random import Random

from headrace_core import Json
from headrace_core.expressions import regexes
from headrace_core.expressions.environment import MISSING, Evaluation, Missing, ModifierFailed, Value
from headrace_core.expressions.jsonata.kinds import (
    Function,
    Pattern,
    Sequence,
    appended,
    as_items,
    is_number,
    looked_up,
    truth,
)
from headrace_core.expressions.modifiers.moments import iso_text, moment_of, timestamp_of
from headrace_core.expressions.values import float_text, identity, int_text, json_text, number, number_of

_COMPONENT_SAFE = "-_.!~*'()"
_URL_SAFE = _COMPONENT_SAFE + ";/?:@&=+$,#"


class Toolbox:
    """What functions need of the evaluation that calls them."""

    def __init__(self, ev: Evaluation, place: str, call: Callable[[object, list[object]], object]) -> None:
        self.ev = ev
        self._place = place
        self.call = call
        self._draws = 0

    def draw(self) -> bytes:
        """Bytes left to chance; those of every further call differ."""
        self._draws += 1
        return self.ev.draw(f"{self._place}|{self._draws}")

    def text(self, value: object) -> str:
        """The value as text, as `$string` makes it."""
        if isinstance(value, str):
            self.ev.spend(len(value) >> 10)
            return value
        if value is True or value is False:
            return "true" if value else "false"
        if isinstance(value, int):
            return int_text(value)
        if isinstance(value, float):
            return float_text(value)
        if isinstance(value, (dict, list)):
            return json_text(_plain(value, self.ev), self.ev)
        return "null" if value is None else ""

    def needed_text(self, value: object) -> str:
        """The text, when it is one."""
        if not isinstance(value, str):
            raise ModifierFailed("a function wants a text and gets something else")
        self.ev.spend(len(value) >> 10)
        return value

    def made(self, text: str) -> str:
        """A text that a function has made, counted."""
        self.ev.claim(len(text))
        return text

    def pattern(self, value: object) -> regexes.Pattern:
        """The compiled form of a regular expression, or of a plain text."""
        if isinstance(value, Pattern):
            return regexes.pattern_of(
                value.source, self.ev, ignore_case="i" in value.flags, multiline="m" in value.flags
            )
        return regexes.pattern_of(regexes.quoted(self.needed_text(value)), self.ev)

    def with_item(self, function: object, item: object, index: int, items: list[object]) -> object:
        """Call a function with an item and as much of its place as the function takes."""
        arity = function.arity if isinstance(function, Function) else 1
        return self.call(function, [item, index, items][: max(1, arity)])


def _plain(value: object, ev: Evaluation, depth: int = 0) -> Value:
    """The value as JSON, with empty texts in place of functions."""
    if depth > ev.limits.depth:
        raise ModifierFailed(f"a value is nested deeper than {ev.limits.depth} levels")
    ev.spend()
    if isinstance(value, dict):
        return {key: _member(member, ev, depth) for key, member in value.items()}
    if isinstance(value, list):
        return [_member(item, ev, depth) for item in value]
    if isinstance(value, (bool, int, float, str, Missing)):
        return value
    return None if value is None else ""


def _member(value: object, ev: Evaluation, depth: int) -> Json:
    found = _plain(value, ev, depth + 1)
    return None if isinstance(found, Missing) else found


FUNCTIONS: dict[str, Function] = {}

Work = Callable[[list[object], Toolbox], object]


def function(
    name: str, least: int, most: int, *, context: bool = False, nothing: bool = True
) -> Callable[[Work], Work]:
    """Enter a function. With `nothing`, it is missing when its first argument is."""

    def enter(work: Work) -> Work:
        def run(arguments: list[object], tools: Toolbox) -> object:
            if not least <= len(arguments) <= most:
                raise ModifierFailed(f"${name} takes {least} to {most} arguments and gets {len(arguments)}")
            if nothing and arguments and arguments[0] is MISSING:
                return MISSING
            return work(arguments + [MISSING] * (most - len(arguments)), tools)

        FUNCTIONS[name] = Function(name, run, least, context)
        return work

    return enter


def _number(value: object) -> int | float:
    if not is_number(value):
        raise ModifierFailed("a function wants a number and gets something else")
    return value


def _whole(value: object, default: int) -> int:
    if value is MISSING:
        return default
    found = _number(value)
    if abs(found) > 2**53:
        raise ModifierFailed("a number is too large")
    return math.floor(found)


def _finite(value: int | float) -> int | float:
    found = number(value)
    if found is None:
        raise ModifierFailed("a number became too large")
    return found


def _numbers(value: object, tools: Toolbox) -> list[int | float]:
    items = as_items(value)
    tools.ev.spend(len(items))
    return [_number(item) for item in items]


# Lists of numbers.


@function("sum", 1, 1)
def _sum(given: list[object], tools: Toolbox) -> object:
    return _finite(sum(_numbers(given[0], tools)))


@function("max", 1, 1)
def _max(given: list[object], tools: Toolbox) -> object:
    return max(_numbers(given[0], tools), default=MISSING)


@function("min", 1, 1)
def _min(given: list[object], tools: Toolbox) -> object:
    return min(_numbers(given[0], tools), default=MISSING)


@function("average", 1, 1)
def _average(given: list[object], tools: Toolbox) -> object:
    found = _numbers(given[0], tools)
    return _finite(sum(found) / len(found)) if found else MISSING


@function("count", 1, 1, nothing=False)
def _count(given: list[object], tools: Toolbox) -> object:
    return len(as_items(given[0]))


# Texts.


@function("string", 1, 2, context=True)
def _string(given: list[object], tools: Toolbox) -> object:
    if given[1] is not MISSING and truth(given[1]) and isinstance(given[0], (dict, list)):
        return json_text(_plain(given[0], tools.ev), tools.ev, 2)
    return tools.text(given[0])


@function("length", 1, 1, context=True)
def _length(given: list[object], tools: Toolbox) -> object:
    return len(tools.needed_text(given[0]))


@function("substring", 2, 3, context=True)
def _substring(given: list[object], tools: Toolbox) -> object:
    text, start = tools.needed_text(given[0]), _whole(given[1], 0)
    start = max(0, start + len(text)) if start < 0 else start
    if given[2] is MISSING:
        return text[start:]
    return text[start : start + max(0, _whole(given[2], 0))]


@function("substringBefore", 2, 2, context=True)
def _substring_before(given: list[object], tools: Toolbox) -> object:
    return tools.needed_text(given[0]).partition(tools.needed_text(given[1]) or "\0")[0]


@function("substringAfter", 2, 2, context=True)
def _substring_after(given: list[object], tools: Toolbox) -> object:
    text = tools.needed_text(given[0])
    _, found, after = text.partition(tools.needed_text(given[1]) or "\0")
    return after if found else text


@function("lowercase", 1, 1, context=True)
def _lowercase(given: list[object], tools: Toolbox) -> object:
    return tools.made(tools.needed_text(given[0]).lower())


@function("uppercase", 1, 1, context=True)
def _uppercase(given: list[object], tools: Toolbox) -> object:
    return tools.made(tools.needed_text(given[0]).upper())


@function("trim", 1, 1, context=True)
def _trim(given: list[object], tools: Toolbox) -> object:
    return tools.made(" ".join(tools.needed_text(given[0]).split()))


@function("pad", 2, 3, context=True)
def _pad(given: list[object], tools: Toolbox) -> object:
    text, width = tools.needed_text(given[0]), _whole(given[1], 0)
    filling = " " if given[2] is MISSING else tools.needed_text(given[2]) or " "
    missing = abs(width) - len(text)
    if missing <= 0:
        return text
    tools.ev.claim(abs(width))
    filled = (filling * (missing // len(filling) + 1))[:missing]
    return filled + text if width < 0 else text + filled


@function("contains", 2, 2, context=True)
def _contains(given: list[object], tools: Toolbox) -> object:
    text = tools.needed_text(given[0])
    if isinstance(given[1], str):
        return given[1] in text
    tools.ev.check_time()
    return tools.pattern(given[1]).search(tools.ev.searchable(text)) is not None


@function("split", 2, 3, context=True)
def _split(given: list[object], tools: Toolbox) -> object:
    text = tools.needed_text(given[0])
    limit = max(0, _whole(given[2], tools.ev.limits.list_length))
    if given[1] == "":
        tools.ev.claim_list(min(limit, len(text)))
        return list(text[:limit])
    if isinstance(given[1], str):
        tools.ev.claim_list(min(limit, text.count(given[1]) + 1))
        return list(text.split(given[1])[:limit])
    pieces: list[object] = []
    position = 0
    for match in regexes.matches(tools.pattern(given[1]), text, tools.ev):
        pieces.append(text[position : match.start()])
        position = match.end()
    return [*pieces, text[position:]][:limit]


@function("join", 1, 2)
def _join(given: list[object], tools: Toolbox) -> object:
    texts = [tools.needed_text(each) for each in as_items(given[0])]
    separator = "" if given[1] is MISSING else tools.needed_text(given[1])
    tools.ev.claim(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@function("match", 2, 3, context=True)
def _match(given: list[object], tools: Toolbox) -> object:
    limit = _whole(given[2], tools.ev.limits.list_length)
    found = Sequence()
    if limit > 0:
        for match in regexes.matches(tools.pattern(given[1]), tools.needed_text(given[0]), tools.ev):
            groups = [each or "" for each in match.groups()]
            found.append({"match": match.group(), "index": match.start(), "groups": groups})
            if len(found) >= limit:
                break
    return found


@function("replace", 3, 4, context=True)
def _replace(given: list[object], tools: Toolbox) -> object:
    text, pattern, replacement = tools.needed_text(given[0]), given[1], given[2]
    limit = max(0, _whole(given[3], tools.ev.limits.list_length))
    if isinstance(pattern, str):
        if not pattern:
            raise ModifierFailed("$replace cannot look for an empty text")
        put = tools.needed_text(replacement)
        count = min(limit, text.count(pattern))
        tools.ev.claim(len(text) + count * (len(put) - len(pattern)))
        return text.replace(pattern, put, count)
    pieces: list[str] = []
    position = 0
    for count, match in enumerate(regexes.matches(tools.pattern(pattern), text, tools.ev)):
        if count >= limit:
            break
        pieces += (text[position : match.start()], _replacement(match, replacement, tools))
        tools.ev.claim(len(pieces[-1]) + len(pieces[-2]))
        position = match.end()
    return tools.made("".join([*pieces, text[position:]]))


def _replacement(match: regexes.Match, replacement: object, tools: Toolbox) -> str:
    if not isinstance(replacement, Function):
        return regexes.expanded(tools.needed_text(replacement), match)
    groups = [each or "" for each in match.groups()]
    said = tools.call(replacement, [{"match": match.group(), "index": match.start(), "groups": groups}])
    return tools.needed_text(said)


@function("base64encode", 1, 1, context=True)
def _base64encode(given: list[object], tools: Toolbox) -> object:
    return tools.made(base64.b64encode(tools.needed_text(given[0]).encode()).decode("ascii"))


@function("base64decode", 1, 1, context=True)
def _base64decode(given: list[object], tools: Toolbox) -> object:
    return tools.made(base64.b64decode(tools.needed_text(given[0]), validate=True).decode())


@function("encodeUrlComponent", 1, 1, context=True)
def _encode_url_component(given: list[object], tools: Toolbox) -> object:
    return tools.made(urllib.parse.quote(tools.needed_text(given[0]), safe=_COMPONENT_SAFE))


@function("encodeUrl", 1, 1, context=True)
def _encode_url(given: list[object], tools: Toolbox) -> object:
    return tools.made(urllib.parse.quote(tools.needed_text(given[0]), safe=_URL_SAFE))


@function("decodeUrlComponent", 1, 1, context=True)
def _decode_url_component(given: list[object], tools: Toolbox) -> object:
    return tools.made(urllib.parse.unquote(tools.needed_text(given[0]), errors="strict"))


FUNCTIONS["decodeUrl"] = FUNCTIONS["decodeUrlComponent"]


# Numbers.


@function("number", 1, 1, context=True)
def _as_number(given: list[object], tools: Toolbox) -> object:
    value = given[0]
    if isinstance(value, (bool, int, float, str)):
        return _finite(number_of(value))
    raise ModifierFailed("$number cannot make a number of this")


@function("abs", 1, 1, context=True)
def _abs(given: list[object], tools: Toolbox) -> object:
    return abs(_number(given[0]))


@function("floor", 1, 1, context=True)
def _floor(given: list[object], tools: Toolbox) -> object:
    return _finite(math.floor(_number(given[0])))


@function("ceil", 1, 1, context=True)
def _ceil(given: list[object], tools: Toolbox) -> object:
    return _finite(math.ceil(_number(given[0])))


@function("round", 1, 2, context=True)
def _round(given: list[object], tools: Toolbox) -> object:
    # Python and JSONata both round halves to the even neighbour.
    return _finite(round(_number(given[0]), max(-30, min(30, _whole(given[1], 0)))))


@function("power", 2, 2, context=True)
def _power(given: list[object], tools: Toolbox) -> object:
    # Floats overflow at once, where integers would fill the memory.
    found = math.pow(_number(given[0]), _number(given[1]))
    return _finite(found)


@function("sqrt", 1, 1, context=True)
def _sqrt(given: list[object], tools: Toolbox) -> object:
    return _finite(math.sqrt(_number(given[0])))


@function("random", 0, 0)
def _random(given: list[object], tools: Toolbox) -> object:
    return (int.from_bytes(tools.draw()[:8]) >> 11) / (1 << 53)


@function("formatBase", 1, 2, context=True)
def _format_base(given: list[object], tools: Toolbox) -> object:
    value, base = round(_number(given[0])), _whole(given[1], 10)
    if not 2 <= base <= 36:
        raise ModifierFailed("$formatBase takes a base from 2 to 36")
    digits = ""
    rest = abs(value)
    while rest or not digits:
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest % base] + digits
        rest //= base
    return ("-" if value < 0 else "") + digits


# Booleans.


@function("boolean", 1, 1, context=True)
def _boolean(given: list[object], tools: Toolbox) -> object:
    return truth(given[0])


@function("not", 1, 1, context=True)
def _not(given: list[object], tools: Toolbox) -> object:
    return not truth(given[0])


@function("exists", 1, 1, nothing=False)
def _exists(given: list[object], tools: Toolbox) -> object:
    return given[0] is not MISSING


# Lists.


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
        key = identity(_plain(item, tools.ev), tools.ev)
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
        return sorted(items, key=_number)

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


# Objects.


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


# Time.


@function("now", 0, 0)
def _now(given: list[object], tools: Toolbox) -> object:
    return iso_text(tools.ev.env.now)


@function("millis", 0, 0)
def _millis(given: list[object], tools: Toolbox) -> object:
    return timestamp_of(tools.ev.env.now)


@function("fromMillis", 1, 1, context=True)
def _from_millis(given: list[object], tools: Toolbox) -> object:
    return iso_text(moment_of(_number(given[0])))


@function("toMillis", 1, 1, context=True)
def _to_millis(given: list[object], tools: Toolbox) -> object:
    return timestamp_of(moment_of(tools.needed_text(given[0])))
