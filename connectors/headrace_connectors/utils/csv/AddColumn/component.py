"""A new column."""

from dataclasses import replace

from headrace_sdk import CancelError, Component, Context, JsonObject, reading

from headrace_connectors.utils.csv import editing, selection
from headrace_connectors.utils.csv.sheet import MAX_COLUMNS, Row, Sheet


class AddColumn(Component):
    """Puts a column beside another one, or at a position; every row gets the default value."""

    async def receive(self, context: Context) -> None:
        given = editing.fields(context)
        how = editing.dialect(given, with_header=editing.has_header(context))
        value = reading.as_text(given.get("defaultValue"))
        name = editing.required(given, "columnName") if how.has_header else ""

        def change(table: Sheet) -> Sheet:
            if how.has_header and name in table.header:
                raise CancelError(f"There is a column {name!r} already: choose another name.")
            place = _place(table, given, by_name=how.has_header)
            header = _inserted(table.header, place, name) if how.has_header else []
            return replace(table, header=header, rows=(_inserted(row, place, value) for row in table.rows))

        await editing.edit(context, how, change)


def _place(table: Sheet, given: JsonObject, *, by_name: bool) -> int:
    if not by_name or given.get("insertMode") == "index":
        return _index(given)
    # The first column of an empty file has no neighbour.
    if not table.header and not given.get("positioningColumn"):
        return 0
    neighbour = table.column(editing.required(given, "positioningColumn"))
    mode = given.get("insertMode") or "afterColumn"
    if mode not in ("afterColumn", "beforeColumn"):
        raise CancelError(f"The field insertMode must be afterColumn or beforeColumn, not {mode!r}.")
    return neighbour + (mode == "afterColumn")


def _index(given: JsonObject) -> int:
    place = selection.position(given.get("index"), "index")
    if place >= MAX_COLUMNS:
        raise CancelError(f"The field index must be below {MAX_COLUMNS}, not {place}.")
    return place


def _inserted(row: Row, place: int, value: str) -> Row:
    # A row that is too short gets empty cells, so that the new cell stands in its column.
    filled = [*row, *[""] * (place - len(row))]
    return [*filled[:place], value, *filled[place:]]
