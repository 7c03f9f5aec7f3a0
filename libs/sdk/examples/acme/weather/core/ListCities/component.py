"""The cities there are forecasts for."""

from collections.abc import Mapping
from typing import ClassVar

from headrace_core import Json
from headrace_sdk import Component, Context, Transform

from ...api import cities


def to_options(found: Json) -> Json:
    """Cities as the options of a select field."""
    listed = found if isinstance(found, list) else []
    return [{"label": each.get("name"), "value": each.get("id")} for each in listed if isinstance(each, dict)]


class ListCities(Component):
    """Called by the forms of the others."""

    transforms: ClassVar[Mapping[str, Transform]] = {"to_options": to_options}

    async def receive(self, context: Context) -> None:
        await context.send_json(await cities(context))
