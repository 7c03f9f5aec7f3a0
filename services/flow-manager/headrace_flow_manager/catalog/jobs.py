"""Jobs of plugins: whoever hosts plugins is told when one was published, replaced, removed or configured anew."""

import logging
from collections.abc import Mapping
from typing import Final, Protocol

from headrace_core import Json
from headrace_core.errors import HeadraceError

from headrace_flow_manager import json_text
from headrace_flow_manager.catalog.service import CatalogService

LOOK_AGAIN: Final = 40
"""Rounds after which everything is told again: the scheduler may have lost its timers."""

log = logging.getLogger(__name__)


class Configs(Protocol):
    """Knows what administrators stored for services."""

    async def config(self, service: str) -> Mapping[str, Json]:
        """The configuration of a service; empty where nothing is stored."""
        ...


class PluginHost(Protocol):
    """Runs plugins and their jobs."""

    async def refresh(self, service: str) -> None:
        """Look which jobs the service has now. Raises what its plugin fails at, Unavailable."""
        ...


class PluginJobs:
    """Compares what is published with what was told of it."""

    def __init__(self, catalog: CatalogService, configs: Configs, host: PluginHost) -> None:
        self._catalog = catalog
        self._configs = configs
        self._host = host
        self._told: dict[str, tuple[str, str]] = {}
        self._rounds = 0

    async def round(self) -> bool:
        """Tell of every service that is not as it was told. What cannot be told now is told in the next round."""
        self._rounds += 1
        if self._rounds % LOOK_AGAIN == 0:
            self._told = dict.fromkeys(self._told, ("", ""))
        now = await self._now()
        for service in sorted(now.keys() | self._told.keys()):
            if now.get(service) != self._told.get(service):
                await self._tell(service, now.get(service))
        return False

    async def _tell(self, service: str, stands: tuple[str, str] | None) -> None:
        try:
            await self._host.refresh(service)
        except HeadraceError as error:
            log.warning("The jobs of the plugin of %s are looked at again later: %s", service, error)
            if error.is_temporary:
                return
        if stands is None:
            self._told.pop(service, None)
        else:
            self._told[service] = stands

    async def _now(self) -> Mapping[str, tuple[str, str]]:
        """By service, which content it has and how it is configured."""
        contents = {each.service: each.bundle_id for each in (await self._catalog.now()).plugins}
        return {
            service: (bundle_id, json_text.encode(dict(await self._configs.config(service.replace(".", ":")))))
            for service, bundle_id in contents.items()
        }
