"""A file of the web."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from headrace_core import Json
from headrace_sdk import Component, Context, HttpResponse, reading

from headrace_connectors.utils.converters import documents
from headrace_connectors.utils.http import fields

DEFAULT_NAME = "download"
UNKNOWN_TYPE = "application/octet-stream"


class DownloadFile(Component):
    """Fetches a link by GET and keeps what comes. A repeated step keeps it once."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        link, credentials = fields.without_credentials(fields.checked_url(given.get("link")))
        headers = {"Authorization": credentials} if credentials else {}
        answer = (await context.http.get(link, headers=headers)).raise_for_status()
        wanted = reading.as_text(given.get("customFileName")).strip()
        name = documents.safe_path(wanted or _name(answer, link)).rpartition("/")[2]
        kind = answer.header("content-type").partition(";")[0].strip().lower() or UNKNOWN_TYPE
        file = await context.files.save(name, answer.content, kind)
        sent: Json = {"fileId": file.file_id, "filename": file.filename, "contentType": file.content_type}
        await context.send_json(sent, "out")


def _name(answer: HttpResponse, link: str) -> str:
    """The name that the server gives the file, else the last part of where it was found."""
    described = EmailMessage()
    described["Content-Disposition"] = " ".join(answer.header("content-disposition", "attachment").split())
    return described.get_filename() or PurePosixPath(unquote(urlsplit(answer.url or link).path)).name or DEFAULT_NAME
