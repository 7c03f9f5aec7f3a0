"""Content as a stored file."""

import base64
import binascii
from collections.abc import Callable, Mapping

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, reading

from headrace_connectors.utils.converters import documents

_READ: Mapping[str, Callable[[str], bytes]] = {
    "ascii": lambda text: text.encode("ascii"),
    "utf8": lambda text: text.encode("utf-8"),
    "utf16le": lambda text: text.encode("utf-16-le"),
    "base64": lambda text: base64.b64decode(text, validate=True),
    "hex": bytes.fromhex,
}


class SaveFile(Component):
    """Keeps a text, or a list of byte values, under a name. A repeated step keeps it once."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        name = documents.safe_path(documents.required(given, "filename")).rpartition("/")[2]
        content = _bytes(given.get("content"), reading.as_text(given.get("contentEncoding")) or "utf8")
        documents.check_size(len(content), documents.MAX_FILE_BYTES)
        file = await context.files.save(name, content, documents.required(given, "mimetype"))
        sent: Json = {"fileId": file.file_id, "filename": file.filename, "contentType": file.content_type}
        await context.send_json(sent, "file")


def _bytes(content: Json, encoding: str) -> bytes:
    if isinstance(content, list):
        return _listed(content)
    if encoding not in _READ:
        raise CancelError(f"There is no encoding {encoding[:40]!r}: use one of {', '.join(_READ)}.")
    try:
        return _READ[encoding](reading.as_text(content))
    except (ValueError, binascii.Error) as error:
        raise CancelError(f"The field content cannot be read as {encoding}: {error}.") from error


def _listed(values: list[Json]) -> bytes:
    numbers = [each for each in values if isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= 255]
    if len(numbers) != len(values):
        raise CancelError("The list in the field content must hold byte values: whole numbers from 0 to 255.")
    return bytes(numbers)
