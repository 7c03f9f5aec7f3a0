"""Time zones to choose from."""

from collections.abc import Mapping
from typing import ClassVar

from headrace_sdk import Component, Context, Transform

from headrace_connectors.utils import timezones


class ListTimeZones(Component):
    """Sends the time zones of the world."""

    transforms: ClassVar[Mapping[str, Transform]] = {"timezonesToSelectArray": timezones.to_options}

    async def receive(self, context: Context) -> None:
        await context.send_json(timezones.time_zones())
