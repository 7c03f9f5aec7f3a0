"""Removing an item."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.storage import records


class Remove(Component):
    """Removes the item and tells its last value; a missing item has none."""

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        store, key = records.store_id(fields), records.key(fields)
        record = await context.store.get(store, key)
        await context.store.remove(store, key)
        await context.send_json({"key": key, "oldValue": record.get("value") if record else None}, "removed")
