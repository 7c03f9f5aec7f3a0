"""What can be done with installation-wide documents."""

from collections.abc import Callable, Mapping

from headrace_core import Json
from headrace_core.clock import Clock

from headrace_flow_manager.settings import model
from headrace_flow_manager.settings.store import DocumentStore


class SettingService:
    """Keeps the modifiers document."""

    def __init__(self, store: DocumentStore, clock: Clock, default_modifiers: Callable[[], dict[str, Json]]) -> None:
        self._store = store
        self._clock = clock
        self._default_modifiers = default_modifiers

    async def modifiers(self) -> Mapping[str, Json]:
        """The built-in set unless it was replaced."""
        kept = await self._store.get(model.MODIFIERS)
        return self._default_modifiers() if kept is None else kept

    async def put_modifiers(self, actor: str, document: Mapping[str, Json]) -> Mapping[str, Json]:
        """Replace the whole document; the document as saved. Raises ValidationFailed or TooLarge."""
        model.check_modifiers(document)
        await self._store.put(actor, model.MODIFIERS, document, self._clock.now())
        return document

    async def delete_modifiers(self) -> None:
        """Go back to the built-in set. Doing it again changes nothing."""
        await self._store.delete(model.MODIFIERS)
