"""A column's other name."""

from dataclasses import replace

from headrace_sdk import CancelError, Component, Context

from headrace_connectors.utils.csv import editing
from headrace_connectors.utils.csv.sheet import Sheet


class RenameColumn(Component):
    """Gives a column another name."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        name, new_name = editing.required(given, "columnName"), editing.required(given, "newColumnName")

        def change(table: Sheet) -> Sheet:
            place = table.column(name)
            others = [*table.header[:place], *table.header[place + 1 :]]
            if new_name in others:
                raise CancelError(f"There is a column {new_name!r} already: choose another name.")
            return replace(table, header=[*table.header[:place], new_name, *table.header[place + 1 :]])

        await editing.edit(context, editing.dialect(given, with_header=True), change)
