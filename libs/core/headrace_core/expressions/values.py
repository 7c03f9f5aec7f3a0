"""Conversions between JSON values the way JavaScript does them, as flows rely on that.

Integral floats print without ".0", nothing prints as nothing, objects print as JSON.
"""

import json
import math
from collections.abc import Sequence
from decimal import Decimal

from headrace_core import Json
from headrace_core.expressions.environment import MISSING, Evaluation, Missing, ModifierFailed, Value

_TRUE_TEXTS = frozenset({"true", "1", "yes", "on"})
_FALSE_TEXTS = frozenset({"", "false", "0", "no", "off", "null", "undefined"})
# Python refuses to print longer integers in decimal; floats end far below.
_MAX_INT_BITS = 1023
_MAX_EXACT_BITS = 63


def text_of(value: Value, ev: Evaluation) -> str:
    """The value as text."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None or isinstance(value, Missing):
        return ""
    if isinstance(value, int):
        return int_text(value)
    if isinstance(value, float):
        return float_text(value) if math.isfinite(value) else ""
    return json_text(value, ev)


def int_text(value: int) -> str:
    """The integer in decimal. Raises `ModifierFailed` when it has hundreds of digits."""
    if value.bit_length() > _MAX_INT_BITS:
        raise ModifierFailed("the number is too large")
    return str(value)


def float_text(value: float) -> str:
    """The number as JavaScript prints it."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    shortest = repr(value)
    if "e" not in shortest:
        return shortest
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(shortest), "f")
    mantissa, exponent = shortest.split("e")
    return f"{mantissa}e{int(exponent):+d}"


def json_text(value: Value, ev: Evaluation, indent: int | str | None = None) -> str:
    """The value as JSON text, written as JavaScript writes it."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(plain(value, ev), ensure_ascii=False, separators=separators, indent=indent)
    ev.claim(len(text))
    return text


def plain(value: Value, ev: Evaluation, depth: int = 0) -> Json:
    """A copy in which floats without a fraction are integers and what JSON cannot write is null."""
    if depth > ev.limits.depth:
        raise ModifierFailed(f"the value is nested deeper than {ev.limits.depth} levels")
    if isinstance(value, dict):
        ev.spend(len(value) + 1)
        return {key: plain(member, ev, depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        ev.spend(len(value) + 1)
        return [plain(member, ev, depth + 1) for member in value]
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Missing):
        return None
    if isinstance(value, str):
        ev.spend(len(value) >> 10)
    elif isinstance(value, int):
        int_text(value)
    return value


def number(value: int | float) -> int | float | None:
    """A number as JSON holds it: exact while it fits 64 bits, without needless fraction, never NaN."""
    if isinstance(value, int):
        if value.bit_length() <= _MAX_EXACT_BITS:
            return value
        return None if value.bit_length() > _MAX_INT_BITS else float(value)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def number_of(value: Value) -> int | float:
    """The value as a number. Raises `ModifierFailed` when it is none."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        if value.bit_length() > _MAX_INT_BITS:
            raise ModifierFailed("the number is too large")
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str):
        return _number_in(value)
    raise ModifierFailed(f"{kind_of(value)} is not a number")


def _number_in(text: str) -> int | float:
    stripped = text.strip()
    # Python reads "1_000", "infinity" and digits of other scripts; JSON and JavaScript do not.
    if stripped and len(stripped) <= 400 and stripped.isascii() and "_" not in stripped:
        try:
            return int(stripped)
        except ValueError:
            pass
        try:
            found = float(stripped)
        except ValueError:
            found = math.nan
        if math.isfinite(found):
            return found
    raise ModifierFailed(f"{shortened(text)} is not a number")


def integer_of(value: Value, what: str) -> int:
    """The value as a whole number, its fraction cut off."""
    try:
        return int(number_of(value))
    except ModifierFailed as error:
        raise ModifierFailed(f"{what}: {error}") from None


def flag_of(value: Value, default: bool = False) -> bool:
    """The value of a yes/no argument, which editors also send as text."""
    if isinstance(value, Missing):
        return default
    if isinstance(value, str):
        lowered = value.strip().lower()
        if lowered in _TRUE_TEXTS:
            return True
        if lowered in _FALSE_TEXTS:
            return False
        raise ModifierFailed(f"{shortened(value)} is neither true nor false")
    return is_truthy(value)


def is_truthy(value: Value) -> bool:
    """Whether JavaScript takes the value for true: objects and lists always are, also empty ones."""
    if isinstance(value, (dict, list)):
        return True
    if isinstance(value, float):
        return value == value and value != 0
    return bool(value)


def are_equal(left: Value, right: Value, ev: Evaluation) -> bool:
    """Deep equality; a number or boolean equals the text that it prints as."""
    if isinstance(left, (dict, list)) or isinstance(right, (dict, list)):
        return type(left) is type(right) and identity(left, ev) == identity(right, ev)
    if isinstance(left, str) != isinstance(right, str) and not _is_nothing(left) and not _is_nothing(right):
        return text_of(left, ev) == text_of(right, ev)
    if _is_nothing(left) or _is_nothing(right):
        return _is_nothing(left) and _is_nothing(right)
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _is_nothing(value: Value) -> bool:
    return value is None or isinstance(value, Missing)


def identity(value: Value, ev: Evaluation) -> object:
    """Something hashable that two JSON values share exactly when they are equal."""
    if isinstance(value, (dict, list)):
        return json.dumps(plain(value, ev), sort_keys=True)
    return (isinstance(value, bool), isinstance(value, Missing), value)


def list_of(value: Value, ev: Evaluation) -> Sequence[Json]:
    """The value as a list: nothing is empty, an object gives its values, JSON text of a list is read."""
    if isinstance(value, list):
        return value
    if value is None or isinstance(value, Missing) or value == "":
        return []
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, str):
        found = parsed(value, ev)
        if isinstance(found, list):
            return found
    raise ModifierFailed(f"{kind_of(value)} is not a list")


def object_of(value: Value, ev: Evaluation) -> dict[str, Json]:
    """The value as an object; a list gives its indexes as keys, JSON text of an object is read."""
    found = parsed(value, ev) if isinstance(value, str) else value
    if isinstance(found, dict):
        return found
    if isinstance(found, list):
        return {str(index): member for index, member in enumerate(found)}
    if found is None or isinstance(found, Missing):
        return {}
    raise ModifierFailed(f"{kind_of(value)} is not an object")


def parsed(value: Value, ev: Evaluation) -> Value:
    """What JSON text of an object or a list says; any other value as it is."""
    if not isinstance(value, str):
        return value
    stripped = value.strip()
    if not (stripped[:1] == "{" and stripped[-1:] == "}") and not (stripped[:1] == "[" and stripped[-1:] == "]"):
        return value
    ev.spend(len(stripped) >> 8)
    try:
        found: Json = json.loads(stripped, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return value
    return found


def member_at(value: Value, key: str) -> Value:
    """The member of an object, or the item of a list at a numeric key; `MISSING` otherwise."""
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list):
        if key.isascii() and key.isdigit() and len(key) < 10:
            index = int(key)
            return value[index] if index < len(value) else MISSING
        if key == "length":
            return len(value)
    return MISSING


def kind_of(value: Value) -> str:
    """A name of the value's kind, for messages."""
    if isinstance(value, Missing):
        return "a value that is missing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return shortened(value)
    return "a list" if isinstance(value, list) else "an object"


def shortened(text: str) -> str:
    """The text in quotes, cut for messages."""
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'
