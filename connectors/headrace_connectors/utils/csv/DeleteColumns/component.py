"""Columns that go."""

from collections.abc import Container
from dataclasses import replace

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject, reading

from headrace_connectors.utils.csv import editing, selection
from headrace_connectors.utils.csv.sheet import Dialect, Row, Sheet


class DeleteColumns(Component):
    """Takes out the columns that are named, or those at the given positions."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=editing.has_header(context))

        def change(table: Sheet) -> Sheet:
            places = _places(table, given, how)
            return replace(
                table, header=_without(table.header, places), rows=(_without(row, places) for row in table.rows)
            )

        await editing.edit(context, how, change)


def _places(table: Sheet, given: JsonObject, how: Dialect) -> Container[int]:
    if not how.has_header:
        return selection.positions(given.get("indexes"), "indexes")
    names = _names(given.get("columns"))
    if not names:
        raise CancelError("The field columns is empty: name the columns, separated by commas.")
    return {table.column(name) for name in names}


def _names(value: Json) -> list[str]:
    listed = value if isinstance(value, list) else reading.as_text(value).split(",")
    return [name for each in listed if (name := reading.as_text(each).strip())]


def _without(row: Row, places: Container[int]) -> Row:
    return [cell for place, cell in enumerate(row) if place not in places]
