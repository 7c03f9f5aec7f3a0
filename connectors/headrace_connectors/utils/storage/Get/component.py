"""One item."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.storage import records


class Get(Component):
    """Sends the item to `out`, or its key to `notFound`. An item whose value is null counts as not found."""

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        key = records.key(fields)
        record = await context.store.get(records.store_id(fields), key)
        if record is None or record.get("value") is None:
            await context.send_json({"key": key}, "notFound")
        else:
            await context.send_json(record, "out")
