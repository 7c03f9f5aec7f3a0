"""What the components of the service share: one place that knows the far side."""

from datetime import timedelta

from headrace_core import Json
from headrace_sdk import Context, JsonObject

URL = "https://weather.example.com/v1"
CITIES_FOR = timedelta(hours=1)


async def forecasts(context: Context, city: str) -> list[JsonObject]:
    """The forecasts for a city, the next day first."""
    answer = await context.http.get(f"{URL}/forecasts", params={"city": city})
    found = answer.raise_for_status().json()
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


async def cities(context: Context) -> Json:
    """All cities; they change so rarely that an hour-old list will do."""
    known = context.cache.get("cities")
    if known is None:
        known = (await context.http.get(f"{URL}/cities")).raise_for_status().json()
        context.cache.set("cities", known, CITIES_FOR)
    return known
