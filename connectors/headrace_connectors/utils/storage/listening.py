"""Hearing of changes in a data store: what the three On Item components share."""

from __future__ import annotations

from typing import ClassVar

from headrace_sdk import Component, Context

from headrace_connectors.utils.storage import records


class Listener(Component):
    """Listens to one kind of event of the chosen store while the flow runs, and sends `fields` of it to `item`."""

    event: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ("key", "storeId", "value", "updatedAt", "createdAt")

    async def receive(self, context: Context) -> None:
        change = context.content if isinstance(context.content, dict) else {}
        if context.port == "store" and change.get("type") == self.event:
            await context.send_json({field: change.get(field) for field in self.fields}, "item")

    async def start(self, context: Context) -> None:
        await context.store.listen(records.store_id(dict(context.properties)), [self.event])

    async def stop(self, context: Context) -> None:
        await context.store.unlisten(records.store_id(dict(context.properties)))
