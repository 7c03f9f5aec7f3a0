"""Writing an item."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.storage import records


class Set(Component):
    """Writes the item and tells its old and new value."""

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        value = fields.get("value")
        record = await context.store.set(records.store_id(fields), records.key(fields), value)
        await context.send_json(records.written(record, value), "out")
