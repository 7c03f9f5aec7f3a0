"""The modifiers document: what it may hold."""

from collections.abc import Iterator, Mapping
from typing import Final

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.flow import kind_of

from headrace_flow_manager import json_text

MODIFIERS: Final = "modifiers"
MAX_DOCUMENT_BYTES: Final = 2 * 1024 * 1024
MAX_MODIFIERS: Final = 2_000
_TEXTS: Final = ("label", "type", "description", "tooltip", "helperFn")
_KEYS: Final = ("categories", "modifiers")


def check_modifiers(document: Mapping[str, Json]) -> None:
    """Raises ValidationFailed with every problem of the document, or TooLarge."""
    json_text.limited(json_text.encode(dict(document)), MAX_DOCUMENT_BYTES, "modifiers document")
    problems = [
        Problem(key[:100], "A modifiers document has no such key.", f"Known keys: {', '.join(_KEYS)}.")
        for key in document
        if key not in _KEYS
    ]
    for key in _KEYS:
        problems += _problems(key, document.get(key))
    if problems:
        raise ValidationFailed(problems)


def _problems(key: str, entries: Json) -> Iterator[Problem]:
    if not isinstance(entries, dict):
        yield Problem(key, f"It is {kind_of(entries)} and not an object.", "Write {} when there is nothing.")
        return
    if len(entries) > MAX_MODIFIERS:
        yield Problem(key, f"It has {len(entries)} entries, and {MAX_MODIFIERS} are allowed.")
    for name, entry in entries.items():
        where = f"{key}.{name[:100]}"
        if not isinstance(entry, dict):
            yield Problem(where, f"It is {kind_of(entry)} and not an object.", "Describe it with a label at least.")
            continue
        for field in _TEXTS:
            if field in entry and not isinstance(entry[field], str):
                yield Problem(f"{where}.{field}", f"It is {kind_of(entry[field])} and not text.", field=field)
        if key == MODIFIERS and not isinstance(entry.get("arguments", []), list):
            yield Problem(f"{where}.arguments", "It is no list.", field="arguments")
