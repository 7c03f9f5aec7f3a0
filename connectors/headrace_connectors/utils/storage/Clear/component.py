"""Emptying a store."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.storage import records


class Clear(Component):
    """Removes every item and tells how many there were."""

    async def receive(self, context: Context) -> None:
        store = records.store_id(records.fields(context))
        count = await context.store.clear(store)
        await context.send_json({"deletedCount": count, "storeId": store}, "cleared")
