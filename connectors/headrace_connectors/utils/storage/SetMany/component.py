"""Writing several items."""

from headrace_core import Json
from headrace_sdk import Component, Context

from headrace_connectors.utils.storage import records


class SetMany(Component):
    """Writes the items in order and tells of all of them in one message. A bad key writes none."""

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        store = records.store_id(fields)
        pairs = [(records.key(row), row.get("value")) for row in records.rows(fields, "keyValuePairs")]
        results: list[Json] = []
        for key, value in pairs:
            results.append(records.written(await context.store.set(store, key, value), value))
        await context.send_json({"results": results}, "out")
