"""Items that are removed."""

from typing import ClassVar

from headrace_connectors.utils.storage.listening import Listener


class OnItemRemoved(Listener):
    """Sends each item that is removed."""

    event: ClassVar[str] = "delete"
