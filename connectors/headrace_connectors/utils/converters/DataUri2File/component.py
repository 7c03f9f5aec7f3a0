"""A data URI as a file."""

import base64
import binascii
import mimetypes
import re
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

from headrace_sdk import CancelError, Component, Context, reading

from headrace_connectors.utils.converters import documents

DEFAULT_NAME = "result"
DEFAULT_TYPE = "text/plain"
UNKNOWN_TYPE = "application/octet-stream"

# Without the files of the system, so that a name is the same on every machine.
_ENDINGS = mimetypes.MimeTypes(filenames=())
_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class DataUri2File(Component):
    """Saves the content of a data URI. A name without an ending gets the one of the content type."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        content_type, content = _parts(documents.required(given, "dataUri"))
        documents.check_size(len(content))
        wanted = reading.as_text(given.get("fileName")).strip()
        name = documents.safe_path(wanted).rpartition("/")[2] if wanted else DEFAULT_NAME
        if not PurePosixPath(name).suffix:
            name += _ENDINGS.guess_extension(content_type) or ".bin"
        file = await context.files.save(name, content, content_type)
        await context.send_json({"fileId": file.file_id, "fileName": file.filename}, "out")


def _parts(uri: str) -> tuple[str, bytes]:
    """The content type and the content, as RFC 2397 has them. Raises `CancelError` for anything else."""
    head, comma, body = uri.partition(",")
    scheme, colon, described = head.partition(":")
    if scheme.lower() != "data" or not colon or not comma:
        raise CancelError("The field dataUri must begin with data: and hold a comma, as in data:text/plain,hello")
    content_type, *parameters = [part.strip().lower() for part in described.split(";")]
    content = unquote_to_bytes(body)
    if "base64" in parameters:
        content = _decoded(content)
    if not content_type:
        return DEFAULT_TYPE, content
    return content_type if _TYPE.fullmatch(content_type) else UNKNOWN_TYPE, content


def _decoded(content: bytes) -> bytes:
    bare = b"".join(content.split()).rstrip(b"=").translate(_URL_SAFE)
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise CancelError(f"The field dataUri holds no base64: {error}.") from error
