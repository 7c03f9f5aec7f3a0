"""New rows."""

from dataclasses import replace
from itertools import chain

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context

from headrace_connectors.utils.csv import appending, editing
from headrace_connectors.utils.csv.sheet import Row, Sheet

SHOWN_NAMES = 20


class AddRows(Component):
    """Adds rows at the end. Objects are sorted into the columns of the first row, lists are added as they are.

    Keys of objects that are no columns are left out, with a warning that names them; at least one must be a column.
    """

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        rows = appending.listed(given.get("rows"))
        by_names = bool(rows) and isinstance(rows[0], dict)
        how = editing.dialect(given, with_header=by_names)
        left_out: dict[str, None] = {}

        def change(table: Sheet) -> Sheet:
            if by_names:
                left_out.update(dict.fromkeys(_unknown(table, rows)))
            return replace(table, rows=chain(table.rows, [_cells(table, row, by_names=by_names) for row in rows]))

        await editing.edit(context, how, change)
        if left_out:
            names = ", ".join(map(repr, list(left_out)[:SHOWN_NAMES]))
            context.log(f"The file has no columns for these keys, so they were left out: {names}.", "warning")


def _unknown(table: Sheet, rows: list[Json]) -> list[str]:
    keys = dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row)
    unknown = [key for key in keys if key.strip() not in table.header]
    if unknown and len(unknown) == len(keys):
        # Nothing would be added but empty rows: the first name says what is wrong.
        table.column(unknown[0])
    return unknown


def _cells(table: Sheet, row: Json, *, by_names: bool) -> Row:
    if by_names and isinstance(row, dict):
        return appending.by_names(table, row)
    if not by_names and isinstance(row, list):
        return appending.in_order(row, ",")
    raise CancelError("The field rows must hold either lists only or objects only.")
