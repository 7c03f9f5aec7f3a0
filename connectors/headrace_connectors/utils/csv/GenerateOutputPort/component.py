"""The column names of a file, for the list of variables."""

from collections.abc import Mapping
from typing import ClassVar

from headrace_core import Json
from headrace_sdk import Component, Context, Transform, reading

from headrace_connectors.utils.csv import editing, sheet


def output_headers(names: Json) -> Json:
    """The file's id and each column as a variable."""
    columns: list[Json] = [
        {"label": f"Column: {name}", "value": value} for name, value in reading.as_object(names).items()
    ]
    return [{"label": "fileId", "value": "fileId"}, *columns]


class GenerateOutputPort(Component):
    """Sends the column names of a file, or of the CSV text it is to begin with."""

    transforms: ClassVar[Mapping[str, Transform]] = {"outputHeaders": output_headers}

    async def receive(self, context: Context) -> None:
        given = dict(context.properties)
        how = editing.dialect(given, with_header=True)
        content = reading.as_text(given.get("initialContent"))
        if given.get("fileId"):
            header = await editing.find(context, given, how, lambda table: table.header)
        elif "{{{" in content:
            # What a variable will hold is not known while the flow is drawn.
            header = []
        else:
            header = sheet.read(content.encode("utf-8", "replace"), how).header
        await context.send_json({name: name for name in header}, "out")
