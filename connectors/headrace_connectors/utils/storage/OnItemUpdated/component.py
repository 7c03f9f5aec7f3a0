"""Items that change."""

from typing import ClassVar

from headrace_connectors.utils.storage.listening import Listener


class OnItemUpdated(Listener):
    """Sends each item that changes, with its old value."""

    event: ClassVar[str] = "update"
    fields: ClassVar[tuple[str, ...]] = ("key", "storeId", "value", "oldValue", "updatedAt", "createdAt")
