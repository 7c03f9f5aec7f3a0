"""Rows."""

import asyncio
from collections.abc import Iterator
from itertools import islice

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject, reading

from headrace_connectors.utils.csv import editing, picking
from headrace_connectors.utils.csv.sheet import Dialect, Row, Sheet

MAX_CELLS = 500_000
"""How many cells go into one message."""

READ_AT_ONCE = 500


class GetRows(Component):
    """Sends the chosen rows, all in one message or one message each.

    Raises `CancelError` when they are too many for one message.
    """

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=editing.has_header(context))
        is_filtered = reading.as_flag(context.properties.get("filterRows", True))
        file_id = editing.file_id(given)

        def chosen(table: Sheet) -> Iterator[Json]:
            rows = picking.matching(table, how, given) if is_filtered else table.rows
            return _shown(table, rows, how, given)

        if reading.as_flag(given.get("allAtOnce", True)):
            rows = await editing.find(context, given, how, lambda table: list(_bounded(chosen(table))))
            await context.send_json({"fileId": file_id, "rows": rows}, "out")
            return
        found = await editing.find(context, given, how, chosen)
        while some := await asyncio.to_thread(lambda: list(islice(found, READ_AT_ONCE))):
            single: list[Json] = [{"fileId": file_id, "rows": row} for row in some]
            await context.send_array(single, "out")


def _shown(table: Sheet, rows: Iterator[Row], how: Dialect, given: JsonObject) -> Iterator[Json]:
    return (picking.shown(table, row, how, given) for row in rows)


def _bounded(rows: Iterator[Json]) -> Iterator[Json]:
    count = 0
    for row in rows:
        count += len(row) if isinstance(row, (dict, list)) else 1
        if count > MAX_CELLS:
            raise CancelError(f"The rows have more than {MAX_CELLS} cells: filter them or send one message each.")
        yield row
