"""The default modifiers, written natively. Importing this fills the table."""

from headrace_core.expressions.modifiers import control, dates, flow, hashes, lists, numbers, objects, patterns, texts
from headrace_core.expressions.modifiers.document import default_modifiers
from headrace_core.expressions.modifiers.registry import (
    MODIFIERS,
    Arguments,
    Block,
    Modifier,
    Render,
    run_modifier,
)

_FAMILIES = (objects, lists, texts, patterns, hashes, control, numbers, dates, flow)

MODIFIER_NAMES = frozenset(MODIFIERS)

__all__ = [
    "MODIFIERS",
    "MODIFIER_NAMES",
    "Arguments",
    "Block",
    "Modifier",
    "Render",
    "default_modifiers",
    "run_modifier",
]
