"""The data stores there are."""

from collections.abc import Mapping
from typing import ClassVar

from headrace_core import Json
from headrace_sdk import Component, Context, Transform


def to_select_array(stores: Json) -> Json:
    """Stores as the options of a select field."""
    listed = stores if isinstance(stores, list) else []
    return [
        {"content": store.get("name"), "value": store.get("storeId")} for store in listed if isinstance(store, dict)
    ]


class ListStores(Component):
    """Sends all data stores in one message."""

    transforms: ClassVar[Mapping[str, Transform]] = {"toSelectArray": to_select_array}

    async def receive(self, context: Context) -> None:
        stores: list[Json] = [*await context.store.list_stores()]
        await context.send_json(stores, "out")
