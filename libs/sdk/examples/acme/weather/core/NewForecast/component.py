"""New forecasts."""

from collections.abc import AsyncIterator

from headrace_sdk import Component, Context, JsonObject
from headrace_sdk.reading import as_list, as_text

from ...api import forecasts


class NewForecast(Component):
    """Remembers the days it has told of; what it sends and what it remembers become durable together."""

    async def tick(self, context: Context) -> AsyncIterator[JsonObject]:
        found = await forecasts(context, as_text(context.properties.get("city")))
        told = as_list(await context.state.get("told"))
        for each in found:
            if each.get("day") not in told:
                yield each
        await context.state.set("told", [each.get("day") for each in found])
