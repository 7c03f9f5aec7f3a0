"""What can be done with installation-wide documents."""

from collections.abc import Callable, Mapping
from typing import Final

from headrace_core import Json
from headrace_core.clock import Clock

from headrace_flow_manager import tags
from headrace_flow_manager.settings import model
from headrace_flow_manager.settings.store import DocumentStore

_THE_MODIFIERS: Final = "The modifiers document"


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

    async def put_modifiers(self, actor: str, document: Mapping[str, Json], expected: str = "") -> Mapping[str, Json]:
        """Replace the whole document; the document as saved.

        Raises ValidationFailed, TooLarge, and RevisionConflict when it has another tag than the one expected.
        """
        model.check_modifiers(document)
        if not expected:
            await self._store.put(actor, model.MODIFIERS, document, self._clock.now())
        elif not await self._store.replace(
            await self._expected(expected), actor, model.MODIFIERS, document, self._clock.now()
        ):
            raise tags.conflict(_THE_MODIFIERS)
        return document

    async def delete_modifiers(self, expected: str = "") -> None:
        """Go back to the built-in set. Doing it again changes nothing. Raises RevisionConflict as putting does."""
        if not expected:
            await self._store.delete(model.MODIFIERS)
            return
        before = await self._expected(expected)
        if before is not None and not await self._store.remove(before, model.MODIFIERS):
            raise tags.conflict(_THE_MODIFIERS)

    async def _expected(self, tag: str) -> Mapping[str, Json] | None:
        kept = await self._store.get(model.MODIFIERS)
        tags.expect(tags.tag_of(dict(self._default_modifiers() if kept is None else kept)), tag, _THE_MODIFIERS)
        return kept
