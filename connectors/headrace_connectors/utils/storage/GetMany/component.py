"""Several items."""

from headrace_core import Json
from headrace_sdk import Component, Context

from headrace_connectors.utils.storage import records


class GetMany(Component):
    """Sends the items that are there to `out`; the keys go to `notFound` only when none of them is there."""

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        store = records.store_id(fields)
        results: list[Json] = []
        missing: list[Json] = []
        for row in records.rows(fields, "keys"):
            key = records.key(row)
            record = await context.store.get(store, key)
            if record is None or record.get("value") is None:
                missing.append(key)
            else:
                results.append(record)
        if results:
            await context.send_json({"results": results}, "out")
        else:
            await context.send_json({"notFound": missing}, "notFound")
