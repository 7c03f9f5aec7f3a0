"""Whether a value holds a text."""

import json

from headrace_core import Json
from headrace_sdk import Component, Context

from headrace_connectors.utils.filters import branching


class Contains(Component):
    """Looks for a text without regard to case. What is no text is looked at as JSON."""

    async def receive(self, context: Context) -> None:
        fields = branching.fields(context)
        found = _text(fields.get("value")) in _text(fields.get("sourceData"))
        await branching.branch(context, found, "contains", "notContains")


def _text(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.lower()
