"""One cell."""

from headrace_core import Json
from headrace_sdk import Component, Context, JsonObject

from headrace_connectors.utils.csv import editing, picking, selection, sheet
from headrace_connectors.utils.csv.sheet import Dialect, Sheet


class GetCell(Component):
    """Sends a cell of the first row that passes the filters, or of the row at the position; null without one."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=editing.has_header(context))
        cell = await editing.find(context, given, how, lambda table: _cell(table, given, how))
        await context.send_json({"fileId": editing.file_id(given), "cell": cell}, "out")


def _cell(table: Sheet, given: JsonObject, how: Dialect) -> Json:
    column = _column(table, given, how)
    row = next(picking.matching(table, how, given, "index"), [])
    return sheet.typed(row[column], how) if column < len(row) else None


def _column(table: Sheet, given: JsonObject, how: Dialect) -> int:
    if how.has_header:
        return table.column(editing.required(given, "column"))
    return selection.position(given.get("columnIndex"), "columnIndex")
