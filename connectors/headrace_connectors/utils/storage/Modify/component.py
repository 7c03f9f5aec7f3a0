"""Changing an item by what it holds."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.storage import arithmetic, records


class Modify(Component):
    """Calculates, appends or sets, and tells the old and the new value.

    Nodes that modify one item wait for each other, so no change is lost. A repeated step writes nothing:
    the store gives it the record of the first time.
    """

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        store, key = records.store_id(fields), records.key(fields)
        async with context.lock(f"storage.Modify:{store}:{key}"):
            former = await context.store.get(store, key)
            value = arithmetic.modified((former or {}).get("value"), fields.get("operator"), fields.get("value"))
            record = await context.store.set(store, key, value)
        await context.send_json(records.written(record, record.get("value")), "out")
