"""One row."""

from headrace_core import Json
from headrace_sdk import Component, Context, JsonObject

from headrace_connectors.utils.csv import editing, picking
from headrace_connectors.utils.csv.sheet import Dialect, Sheet


class GetRow(Component):
    """Sends the first row that passes the filters, or the one at the position; null when there is none."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=editing.has_header(context))
        row = await editing.find(context, given, how, lambda table: _row(table, given, how))
        await context.send_json({"fileId": editing.file_id(given), "row": row}, "out")


def _row(table: Sheet, given: JsonObject, how: Dialect) -> Json:
    row = next(picking.matching(table, how, given, "index"), None)
    return None if row is None else picking.shown(table, row, how, given)
