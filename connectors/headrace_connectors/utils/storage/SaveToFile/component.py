"""A whole store as a file."""

import csv
import io
import json

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject

from headrace_connectors.utils.storage import flattening, records

MAX_RECORDS = 100_000
MAX_FILE_BYTES = 64 * 1024 * 1024
ORDERS = ("key", "createdAt", "updatedAt")
DEFAULT_NAME = "new File"


class SaveToFile(Component):
    """Writes all items of a store into a CSV or JSON file and tells how many there are.

    Cells are written as they are. A cell that begins with = + - or @ is a formula to a spreadsheet, so
    open files with data of strangers as text.
    """

    async def receive(self, context: Context) -> None:
        fields = records.fields(context)
        order = fields.get("sortBy") or "key"
        if order not in ORDERS:
            raise CancelError(f"The field sortBy must be one of {', '.join(ORDERS)}, not {order!r}.")
        store = records.store_id(fields)
        found = [record async for record in records.everything(context, store, limit=MAX_RECORDS)]
        found.sort(key=lambda record: str(record.get(str(order)) or ""))
        content = _content(found, fields).encode()
        if len(content) > MAX_FILE_BYTES:
            raise CancelError(f"The file would have {len(content)} bytes; at most {MAX_FILE_BYTES} are written.")
        file = await context.files.save(_name(fields.get("fileName")), content, _content_type(fields))
        await context.send_json({"fileId": file.file_id, "nRecords": len(found)}, "out")


def _content(found: list[JsonObject], fields: JsonObject) -> str:
    if fields.get("fileType") == "json":
        return json.dumps(found, ensure_ascii=False)
    if fields.get("flattenValue", True):
        return _table([flattening.flat({"key": each["key"], "value": _opened(each["value"])}) for each in found])
    return _table([{"key": flattening.cell(each["key"]), "value": flattening.cell(each["value"])} for each in found])


def _table(rows: list[dict[str, str]]) -> str:
    columns = flattening.columns(rows) or ["key", "value"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _opened(value: Json) -> Json:
    """The value; a text that holds a JSON object or list counts as that."""
    if not isinstance(value, str) or value.strip()[:1] not in ("{", "["):
        return value
    try:
        opened: Json = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return opened


def _name(value: Json) -> str:
    return value.strip() if isinstance(value, str) and value.strip() else DEFAULT_NAME


def _content_type(fields: JsonObject) -> str:
    return "application/json" if fields.get("fileType") == "json" else "text/csv"
