"""A new row."""

from dataclasses import replace
from itertools import chain

from headrace_sdk import Component, Context, JsonObject, reading

from headrace_connectors.utils.csv import appending, editing
from headrace_connectors.utils.csv.sheet import Dialect, Row, Sheet


class AddRow(Component):
    """Adds a row at the end, given by column names or, without a header, as one line of CSV."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=editing.has_header(context))

        def change(table: Sheet) -> Sheet:
            return replace(table, rows=chain(table.rows, [_row(table, given, how)]))

        await editing.edit(context, how, change)


def _row(table: Sheet, given: JsonObject, how: Dialect) -> Row:
    if not how.has_header:
        return appending.in_order(given.get("row"), how.delimiter)
    pairs = reading.rows(given.get("rowWithColumns"), "AND")
    values = {table.column(reading.as_text(pair.get("column"))): reading.as_text(pair.get("value")) for pair in pairs}
    return [values.get(place, "") for place in range(len(table.header))]
