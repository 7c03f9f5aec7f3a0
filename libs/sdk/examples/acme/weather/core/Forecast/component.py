"""Forecasts, a message for each day."""

from collections.abc import AsyncIterator

from headrace_sdk import Component, Context, JsonObject, Output
from headrace_sdk.reading import as_object, as_text

from ...api import forecasts


class Forecast(Component):
    """Yields what it finds; where there is nothing, it says so on a port of its own."""

    async def receive(self, context: Context) -> AsyncIterator[JsonObject | Output]:
        city = as_text(as_object(context.content).get("city"))
        found = await forecasts(context, city)
        for each in found:
            yield {"day": each.get("day"), "degrees": each.get("degrees")}
        if not found:
            yield Output({"city": city}, port="none")
