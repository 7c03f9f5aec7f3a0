"""Auth modules of built-in components. They run here, as those components do: they are part of the platform."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from headrace_core.errors import NotFound
from headrace_core.expressions import Json
from headrace_runtime.egress.door import DoorToSockets, DoorToWeb
from headrace_sdk.auth import AuthContext, InvalidToken

from headrace_executor.auth_modules import Absent, ModuleHost, Place
from headrace_executor.ports import Web

Step: TypeAlias = "Callable[[AuthContext], Json | Awaitable[Json]]"


@dataclass(frozen=True, slots=True)
class BuiltinAuth:
    """How accounts of a built-in service are opened: by these fields, and these steps look at them."""

    type: str
    definition: Mapping[str, object]


class BuiltinModules:
    """Keeps `ModuleHost`: built-in modules are here, all others at the host of published ones."""

    def __init__(self, auths: Mapping[str, BuiltinAuth], web: Web, published: ModuleHost) -> None:
        self._auths = auths
        self._web = web
        self._published = published

    async def describe(self, tenant_id: str, place: Place) -> Mapping[str, Json]:
        if place.bundle_id:
            return await self._published.describe(tenant_id, place)
        found = self._found(place)
        forms: dict[str, Json] = {name: "function" for name, each in found.definition.items() if callable(each)}
        return {"type": found.type, "forms": forms, "auth": cast("Json", found.definition.get("auth"))}

    async def step(
        self, tenant_id: str, place: Place, name: str, given: Mapping[str, Json], session: str
    ) -> Json | Absent:
        if place.bundle_id:
            return await self._published.step(tenant_id, place, name, given, session)
        step = self._found(place).definition.get(name)
        if not callable(step):
            return Absent.ABSENT
        context = AuthContext(given, DoorToWeb(self._web.request), DoorToSockets(self._web.connect))
        value = cast("Step", step)(context)
        found = await value if inspect.isawaitable(value) else value
        if name.startswith("validate") and found is False:
            raise InvalidToken()
        return found

    def _found(self, place: Place) -> BuiltinAuth:
        if place.folder not in self._auths:
            raise NotFound("auth module", place.folder)
        return self._auths[place.folder]
