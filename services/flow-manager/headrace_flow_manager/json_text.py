"""JSON in and out without loss: whole numbers of any size stay whole, and what JSON cannot hold is refused."""

import json
import math
import re

from headrace_core import Json
from headrace_core.errors import BadRequest, TooLarge
from headrace_runtime import garbage

MAX_DEPTH = 128
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def decode(data: bytes, what: str) -> Json:
    """The value that this text stands for. Raises BadRequest naming `what` when it is no JSON."""
    try:
        with garbage.held_off():
            text = data.decode("utf-8")
            value: Json = json.loads(text, parse_constant=_refused_constant, parse_float=_finite)
            if _ESCAPED_SURROGATE.search(text):
                json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair is no text
            if text.count("[") + text.count("{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
                raise _too_deep(what)
    except RecursionError:
        raise _too_deep(what) from None
    except ValueError as error:
        raise BadRequest(f"The {what} is no JSON text: {_reason(error)}. Send JSON in UTF-8.") from None
    return value


def decode_object(data: bytes, what: str) -> dict[str, Json]:
    """The object that this text stands for; no text stands for {}. Raises BadRequest when it is something else."""
    if not data:
        return {}
    value = decode(data, what)
    if not isinstance(value, dict):
        raise BadRequest(f"The {what} is no JSON object. Send an object: {{…}}.")
    return value


def encode(value: Json) -> str:
    """The shortest text of a value, keys in their order."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode_canonical(value: Json) -> str:
    """A text that is equal for equal values, whatever the order of their keys."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def limited(text: str, limit_bytes: int, what: str) -> str:
    """The text itself. Raises TooLarge when it takes more bytes than allowed."""
    size = len(text.encode("utf-8"))
    if size > limit_bytes:
        raise TooLarge(f"The {what} is {size} bytes of JSON, and {limit_bytes} are allowed. Send less.")
    return text


def _refused_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeError):
        return "it holds bytes or characters that are no UTF-8"
    return str(error)


def _too_deep(what: str) -> BadRequest:
    return BadRequest(f"The {what} is nested deeper than {MAX_DEPTH} levels. Flatten it.")


def _is_deeper(value: Json, depth: int) -> bool:
    level: list[Json] = [value]
    for _ in range(depth + 1):
        deeper: list[Json] = []
        for each in level:
            if isinstance(each, dict):
                deeper.extend(each.values())
            elif isinstance(each, list):
                deeper.extend(each)
        if not deeper:
            return False
        level = deeper
    return True
