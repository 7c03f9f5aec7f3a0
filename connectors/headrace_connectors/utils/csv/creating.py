"""CSV files that come into being, and what is told of them."""

from __future__ import annotations

from headrace_core import Json
from headrace_sdk import Context

from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.sheet import Dialect


async def save(context: Context, filename: str, written: str, how: Dialect) -> None:
    """Save CSV text as a file and tell of it. Raises `CancelError` when its first row cannot be read."""
    content = written.encode("utf-8", "replace")
    header = sheet.read(content, how).header
    file = await context.files.save(filename, content, "text/csv")
    await tell(context, file.file_id, header)


async def tell(context: Context, file_id: str, header: list[str]) -> None:
    """Send the file's id and its columns by name, which is what the list of variables offers."""
    names: dict[str, Json] = {name: name for name in header}
    await context.send_json({**names, "fileId": file_id}, "out")
