"""Rows that go."""

from dataclasses import replace

from headrace_sdk import Component, Context

from headrace_connectors.utils.csv import editing, picking
from headrace_connectors.utils.csv.sheet import Sheet


class DeleteRows(Component):
    """Takes out the rows that pass the filters, or those at the given positions. The header stays."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=editing.has_header(context))

        def change(table: Sheet) -> Sheet:
            goes = picking.chooser(table, how, given)
            return replace(table, rows=(row for place, row in enumerate(table.rows) if not goes(place, row)))

        await editing.edit(context, how, change)
