"""What the audit trail keeps of values: as they were, without secrets."""

import re
from typing import Final

import orjson
from headrace_core import Json

HIDDEN: Final = "***"
CHANGED: Final = "*** (changed)"
MAX_BYTES: Final = 48 * 1024
_SECRET: Final = re.compile(
    r"pass(word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|authorization|cookie"
    r"|signature|session|(^|[_-])(pwd|pass|key|auth|jwt|pin)$",
    re.IGNORECASE,
)
_NAMES: Final = frozenset({"key", "serviceId"})
"""Fields that say what something is called."""


def is_secret(name: str) -> bool:
    """Whether what is called so is not to be shown."""
    return _SECRET.search(name) is not None


def hidden(value: Json, *, all_values: bool = False, before: Json = None) -> Json:
    """The value with secrets hidden: those under telling names; with `all_values`, all but names.

    Where `before` has another secret at the same place, it says that it changed.
    """
    if isinstance(value, list):
        known = by_name(before)
        return [hidden(each, all_values=all_values, before=known.get(name_of(each))) for each in value]
    if not isinstance(value, dict):
        return HIDDEN if all_values and not _is_plain(value) else value
    named, old = value.get("key"), before if isinstance(before, dict) else None
    is_sealed = isinstance(named, str) and is_secret(named)
    shown: dict[str, Json] = {}
    for name, each in value.items():
        former = None if old is None else old.get(name)
        if _is_hidden(name, each, all_values=all_values or (is_sealed and name == "value")):
            shown[name] = HIDDEN if old is None or former == each else CHANGED
        elif isinstance(each, dict | list):
            shown[name] = hidden(each, all_values=all_values or is_secret(name), before=former)
        else:
            shown[name] = each
    return shown


def kept(value: Json) -> Json:
    """The value, or how large it is where it would fill the trail."""
    size = len(orjson.dumps(value))
    return value if size <= MAX_BYTES else {"isCut": True, "bytes": size}


def _is_hidden(name: str, value: Json, *, all_values: bool) -> bool:
    if _is_plain(value) or isinstance(value, dict | list) or name in _NAMES:
        return False
    return all_values or is_secret(name)


def _is_plain(value: Json) -> bool:
    """Whether nothing can be told by it."""
    return value in (None, "") or isinstance(value, bool)


def by_name(items: Json) -> dict[str, Json]:
    """The items of a list by what they are called, but for those that have no name."""
    return {name_of(each): each for each in items if name_of(each)} if isinstance(items, list) else {}


def name_of(item: Json) -> str:
    """What an item of a list is called; empty for what has no name."""
    if not isinstance(item, dict):
        return ""
    return next((str(item[name]) for name in ("key", "serviceId", "id") if name in item), "")
