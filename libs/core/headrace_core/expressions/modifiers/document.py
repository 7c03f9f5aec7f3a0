"""The whole description of the default modifiers, as `GET /modifiers` answers it."""

from headrace_core import Json
from headrace_core.expressions.modifiers.registry import CATEGORIES, MODIFIERS


def default_modifiers() -> dict[str, Json]:
    """A fresh document `{categories, modifiers}`; the caller may change it."""
    categories: dict[str, Json] = {
        name: {"label": name.capitalize(), "index": index} for index, name in enumerate(CATEGORIES, 1)
    }
    modifiers: dict[str, Json] = {name: each.to_json() for name, each in MODIFIERS.items()}
    return {"categories": categories, "modifiers": modifiers}
