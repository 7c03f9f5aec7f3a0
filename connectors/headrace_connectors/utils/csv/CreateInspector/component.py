"""The forms of the CSV nodes, which depend on whether the file has a header."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from headrace_core import Json
from headrace_sdk import Component, Context, JsonObject, Transform, reading

from headrace_connectors.utils.csv import forms


def _transform(form: Callable[[forms.Settings], Json]) -> Transform:
    return lambda answer: form(_settings(answer))


def _settings(answer: Json) -> forms.Settings:
    given = reading.as_object(answer)
    return forms.Settings(_flag(given, "withHeaders"), _flag(given, "filterRows"))


def _flag(given: JsonObject, name: str) -> bool:
    # Both toggles are on until somebody switches them off.
    found = given.get(name)
    return found is None or reading.as_flag(found)


class CreateInspector(Component):
    """Sends the settings of the node; the transforms make its form of them."""

    transforms: ClassVar[Mapping[str, Transform]] = {
        "addColumnInspector": _transform(forms.add_column),
        "addRowInspector": _transform(forms.add_row),
        "deleteColumnsInspector": _transform(forms.delete_columns),
        "deleteRowsInspector": _transform(forms.delete_rows),
        "getCellInspector": _transform(forms.get_cell),
        "getRowInspector": _transform(forms.get_row),
        "getRowsInspector": _transform(forms.get_rows),
        "updateRowsInspector": _transform(forms.update_rows),
    }

    async def receive(self, context: Context) -> None:
        settings = context.properties
        answer: dict[str, Json] = {name: settings.get(name) for name in ("withHeaders", "filterRows")}
        await context.send_json(answer, "out")
