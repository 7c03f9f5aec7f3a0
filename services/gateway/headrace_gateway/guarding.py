"""The rules in force, asked for again after five seconds."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Literal

from headrace_core import Json, errors
from headrace_core.clock import Clock

from headrace_gateway import access
from headrace_gateway.access import Rule
from headrace_gateway.identity import Caller

Kind = Literal["routes", "components"]

_MEMORY_SECONDS = 5.0


class Guard:
    """Refuses what rules take away. Without an answer about the rules nothing is let through but administrators."""

    def __init__(self, ask: Callable[[str], Awaitable[list[Rule]]], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._known: dict[Kind, tuple[float, Sequence[Rule]]] = {}

    async def check_route(self, caller: Caller, method: str, path: str) -> None:
        """Raise Forbidden when the caller's roles may not do this."""
        if caller.is_admin:
            return
        action = access.ACTIONS.get(method, access.ANY)
        if not access.allows(await self._rules("routes"), caller, access.resource_of(path), action):
            raise errors.Forbidden("The rules of this installation do not let your role do this.")

    async def visible(
        self, caller: Caller, found: Iterable[tuple[str, dict[str, Json]]]
    ) -> list[tuple[str, dict[str, Json]]]:
        """The components that the caller may see and use."""
        rules = await self._rules("components")
        return [
            (name, manifest)
            for name, manifest in found
            if access.allows_component(rules, caller, name, is_private=manifest.get("private") is True)
        ]

    async def check_flow(self, caller: Caller, descriptor: Json) -> None:
        """Raise Forbidden when the flow uses a component that the caller may not use."""
        rules = [] if caller.is_admin else await self._rules("components")
        if not rules or not isinstance(descriptor, dict):
            return
        for name in sorted({str(node.get("type")) for node in descriptor.values() if isinstance(node, Mapping)}):
            if not access.allows_component(rules, caller, name, is_private=False):
                raise errors.Forbidden(f"Your role may not use the component {name[:200]}.")

    def forget(self) -> None:
        """Ask again the next time."""
        self._known.clear()

    async def _rules(self, kind: Kind) -> Sequence[Rule]:
        known = self._known.get(kind)
        now = self._clock.monotonic()
        if known is None or now >= known[0]:
            known = (now + _MEMORY_SECONDS, await self._ask(kind))
            self._known[kind] = known
        return known[1]
