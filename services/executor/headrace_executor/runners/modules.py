"""Auth modules in the runners that host their code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from headrace_core.errors import Conflict, NotFound, Unavailable
from headrace_core.expressions import Json
from headrace_sdk.errors import CancelError, TransientError

from headrace_executor.auth_modules import Absent, Place
from headrace_executor.runners.client import ABSENT
from headrace_executor.runners.languages import Language
from headrace_executor.runners.pool import Key, Runners


class PublishedModules:
    """Keeps `auth_modules.ModuleHost`."""

    def __init__(self, runners: Runners) -> None:
        self._runners = runners

    async def describe(self, tenant_id: str, place: Place) -> Mapping[str, Json]:
        try:
            found = await self._runners.describe_folder(_key(tenant_id, place), place.folder)
        except TransientError as error:
            raise Unavailable(f"The auth module of {place.folder} cannot be looked at now: {error}") from error
        except CancelError as error:
            raise Conflict(f"The auth module of {place.folder} cannot be loaded: {error}") from error
        if found.auth is not None:
            return found.auth
        for file, failure in found.failures.items():
            if file.startswith("auth."):
                raise Conflict(f"{place.folder}/{file} cannot be loaded: {failure.message}")
        raise NotFound("auth module", place.folder)

    async def step(
        self, tenant_id: str, place: Place, name: str, given: Mapping[str, Json], session: str
    ) -> Json | Absent:
        found = await self._runners.call_auth(_key(tenant_id, place), place.folder, name, given, session)
        return Absent.ABSENT if found is ABSENT else found


def _key(tenant_id: str, place: Place) -> Key:
    if place.language not in ("python", "javascript"):
        raise Conflict(f"The auth module of {place.folder} is written in a language of another release.")
    return Key(tenant_id, place.bundle_id, language=cast("Language", place.language))
