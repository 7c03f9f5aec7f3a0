"""Items by pattern."""

import re2
from headrace_core import Json
from headrace_sdk import CancelError, Component, Condition, Context

from headrace_connectors.utils.storage import records

MAX_FOUND = 10_000
MAX_PATTERN = 1000


class Find(Component):
    """Sends the items whose key or value matches the pattern (RE2, case does not matter), ordered by key."""

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        store, pattern = records.store_id(fields), _pattern(fields.get("pattern"))
        found = {}
        for part in ("key", "value"):
            condition = Condition(part, "match", f"(?i){pattern}")
            async for record in records.everything(context, store, [condition], limit=MAX_FOUND):
                found[str(record["key"])] = record
        items: list[Json] = [found[key] for key in sorted(found)]
        if items:
            await context.send_json({"items": items}, "out")
        else:
            await context.send_json({"pattern": pattern, "items": items}, "notFound")


def _pattern(value: Json) -> str:
    if not isinstance(value, str) or len(value) > MAX_PATTERN:
        raise CancelError(f"The field pattern must be a text of at most {MAX_PATTERN} characters.")
    try:
        re2.compile(value)
    except re2.error as error:
        raise CancelError(f"The field pattern is no regular expression: {error}.") from error
    return value
