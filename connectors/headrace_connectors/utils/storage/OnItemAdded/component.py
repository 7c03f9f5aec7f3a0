"""Items that are added."""

from typing import ClassVar

from headrace_connectors.utils.storage.listening import Listener


class OnItemAdded(Listener):
    """Sends each item that is added."""

    event: ClassVar[str] = "insert"
