"""Rows that change."""

from dataclasses import replace

from headrace_sdk import CancelError, Component, Context, JsonObject, reading

from headrace_connectors.utils.csv import editing, picking, selection
from headrace_connectors.utils.csv.sheet import MAX_COLUMNS, Row, Sheet


class UpdateRows(Component):
    """Writes values into the rows that pass the filters, or into those at the given positions."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=editing.has_header(context))

        def change(table: Sheet) -> Sheet:
            values = _by_name(table, given) if how.has_header else _by_position(given)
            changes = picking.chooser(table, how, given)
            rows = (_written(row, values) if changes(place, row) else row for place, row in enumerate(table.rows))
            return replace(table, rows=rows)

        await editing.edit(context, how, change)


def _by_name(table: Sheet, given: JsonObject) -> dict[int, str]:
    pairs = reading.rows(given.get("values"), "AND")
    return {table.column(reading.as_text(pair.get("column"))): reading.as_text(pair.get("value")) for pair in pairs}


def _by_position(given: JsonObject) -> dict[int, str]:
    pairs = reading.rows(given.get("indexedValues"), "AND")
    values = {selection.position(pair.get("column"), "column"): reading.as_text(pair.get("value")) for pair in pairs}
    if any(place >= MAX_COLUMNS for place in values):
        raise CancelError(f"A column position must be below {MAX_COLUMNS}.")
    return values


def _written(row: Row, values: dict[int, str]) -> Row:
    changed = [*row, *[""] * (max(values, default=-1) + 1 - len(row))]
    for place, value in values.items():
        changed[place] = value
    return changed
