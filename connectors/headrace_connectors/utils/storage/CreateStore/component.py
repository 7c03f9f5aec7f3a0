"""Making a store."""

from headrace_sdk import CancelError, Component, Context

from headrace_connectors.utils.storage import records


class CreateStore(Component):
    """Sends the id of the store of that name, which is made when there is none."""

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        name = fields.get("name")
        if not isinstance(name, str) or not name.strip():
            raise CancelError("The field name is empty: give the data store a name.")
        async with context.lock(f"storage.CreateStore:{name.strip()}"):
            found = await _find(context, name.strip())
            if found is None:
                found = records.store_id(await context.store.create_store(name.strip()))
            elif fields.get("clear"):
                await context.store.clear(found)
        await context.send_json({"storeId": found}, "out")


async def _find(context: Context, name: str) -> str | None:
    stores = await context.store.list_stores()
    return next((records.store_id(store) for store in stores if store.get("name") == name), None)
