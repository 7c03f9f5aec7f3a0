"""Form and schema of each CSV node, with a header and without one."""

from __future__ import annotations

from dataclasses import dataclass

from headrace_core import Json
from headrace_sdk import JsonObject

OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "regex")
TYPES: dict[str, Json] = {"number": "number", "toggle": "boolean"}
ANY_TYPE = ("fileId", "filters", "values", "indexedValues", "rowWithColumns")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the node is set to."""

    has_header: bool
    filters_rows: bool = True


def add_column(settings: Settings) -> Json:
    default = _input("text", "Default value", "What every row gets in the new column.") | {"defaultValue": ""}
    named: JsonObject = {
        "columnName": _input("text", "Column name", "Name of the new column."),
        "insertMode": {
            **_input("select", "Position", "On which side of the other column it goes."),
            "variables": False,
            "options": [
                {"value": "afterColumn", "content": "After column"},
                {"value": "beforeColumn", "content": "Before column"},
            ],
        },
        "positioningColumn": _input("text", "Beside column", "The column it goes beside."),
    }
    placed: JsonObject = {"index": _input("text", "Position", "Counted from 0.")}
    fields = named if settings.has_header else placed
    return _form({**_file(), **fields, "defaultValue": default, **_parsing()}, optional=("defaultValue",))


def add_row(settings: Settings) -> Json:
    by_name = _pairs("Row", "The cells of the new row by column name.", "Column")
    by_order = _input("text", "Row", "Cells separated by the delimiter, for example: one,two,three")
    fields: JsonObject = {"rowWithColumns": by_name} if settings.has_header else {"row": by_order}
    return _form({**_file(), **fields, **_parsing()})


def delete_columns(settings: Settings) -> Json:
    names = _input("text", "Columns", "Names of the columns, separated by commas.")
    fields: JsonObject = {"columns": names} if settings.has_header else {"indexes": _indexes()}
    return _form({**_file(), **fields})


def delete_rows(settings: Settings) -> Json:
    return _form({**_file(), **_selection(settings), **_parsing()})


def get_cell(settings: Settings) -> Json:
    named: JsonObject = {"filters": _filters(), "column": _input("text", "Column", "Name of the cell's column.")}
    placed: JsonObject = {
        "index": _input("number", "Row", "Position of the row, counted from 0."),
        "columnIndex": _input("number", "Column", "Position of the column, counted from 0."),
    }
    fields = named if settings.has_header else placed
    return _form({**_file(), **fields, **_parsing()}, optional=("delimiter",))


def get_row(settings: Settings) -> Json:
    named: JsonObject = {"filters": _filters(), "rowFormat": _row_format()}
    placed: JsonObject = {"index": _input("number", "Row", "Position of the row, counted from 0.")}
    return _form({**_file(), **(named if settings.has_header else placed), **_parsing()})


def get_rows(settings: Settings) -> Json:
    chosen = _selection(settings) if settings.filters_rows else {}
    shape: JsonObject = {"rowFormat": _row_format()} if settings.has_header else {}
    at_once = _input("toggle", "All rows in one message", "Off: one message for each row.") | {"defaultValue": True}
    return _form({**_file(), **chosen, **shape, "allAtOnce": at_once, **_parsing()})


def update_rows(settings: Settings) -> Json:
    by_name: JsonObject = {"values": _pairs("Values", "New values by column name.", "Column")}
    by_place: JsonObject = {"indexedValues": _pairs("Values", "New values by column position.", "Column position")}
    fields = by_name if settings.has_header else by_place
    return _form({**_file(), **_selection(settings), **fields, **_parsing()})


def _form(inputs: JsonObject, optional: tuple[str, ...] = ()) -> JsonObject:
    never_required = {*_parsing(), *optional}
    ordered: JsonObject = {}
    for index, (name, definition) in enumerate(inputs.items(), start=1):
        ordered[name] = {**_object(definition), "index": index}
    properties: JsonObject = {name: _schema(name, _object(each)) for name, each in inputs.items()}
    required: list[Json] = [name for name in inputs if name not in never_required]
    return {"schema": {"type": "object", "properties": properties, "required": required}, "inputs": ordered}


def _schema(name: str, definition: JsonObject) -> JsonObject:
    if name in ANY_TYPE:
        return {}
    # A position given by a variable may arrive as text, so numbers are checked by the node itself.
    if definition["type"] == "number" or name in ("index", "row"):
        return {}
    return {"type": TYPES.get(str(definition["type"]), "string")}


def _input(kind: str, label: str, tooltip: str) -> JsonObject:
    return {"type": kind, "label": label, "tooltip": tooltip}


def _file() -> JsonObject:
    separator = _input("text", "Delimiter", "The one character that stands between two columns.")
    return {
        "fileId": _input("filepicker", "File", "The file to work on: pick one or pass its id."),
        "delimiter": separator | {"defaultValue": ","},
    }


def _parsing() -> JsonObject:
    numbers = "Cells that look like numbers become numbers. Off for phone numbers and codes with leading zeros."
    booleans = "Cells that read true or false become booleans."
    return {
        "parseNumbers": _input("toggle", "Parse numbers", numbers) | {"defaultValue": True},
        "parseBooleans": _input("toggle", "Parse booleans", booleans) | {"defaultValue": True},
    }


def _selection(settings: Settings) -> JsonObject:
    return {"filters": _filters()} if settings.has_header else {"indexes": _indexes()}


def _indexes() -> JsonObject:
    return _input("text", "Positions", "Counted from 0, separated by commas; ranges are allowed: 0,3,6-7")


def _row_format() -> JsonObject:
    options: list[Json] = [{"content": "Object", "value": "object"}, {"content": "List", "value": "array"}]
    form = _input("select", "Row format", "Rows as objects by column name, or as lists.")
    return form | {"defaultValue": "object", "options": options}


def _filters() -> JsonObject:
    operators: list[Json] = [{"content": each, "value": each} for each in OPERATORS]
    fields: JsonObject = {
        "column": {"type": "text", "label": "Column", "required": True},
        "operator": {"type": "select", "label": "Operator", "required": True, "options": operators},
        "value": {"type": "text", "label": "Value", "required": True},
    }
    return _input("expression", "Filters", "Which rows are meant.") | {"fields": fields}


def _pairs(label: str, tooltip: str, column: str) -> JsonObject:
    fields: JsonObject = {
        "column": {"type": "text", "label": column, "required": True},
        "value": {"type": "text", "label": "Value"},
    }
    return _input("expression", label, tooltip) | {"levels": ["AND"], "fields": fields}


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
