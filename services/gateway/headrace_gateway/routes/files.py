"""Files: upload in one request or in chunks, download whole or a range."""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from headrace_core import Json, errors
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message

from headrace_gateway import queries
from headrace_gateway.bodies import media_type
from headrace_gateway.call import Call, answer
from headrace_gateway.errors import RangeNotSatisfiable, UnsupportedMedia, one_problem
from headrace_gateway.identity import Scope
from headrace_gateway.routing import Answer, Limit, Parameter, Policy, Route
from headrace_gateway.schemas import LIST_PARAMETERS, TEXT, WHOLE, an_object, array_of, ref

MAX_CHUNKS = 100_000
MAX_ROUNDS = 100
_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})\Z", re.ASCII)
# A file is shown by nobody on the API's origin: it is saved, and scripts in it run nowhere.
_DOWNLOAD_HEADERS = {"Content-Security-Policy": "sandbox; default-src 'none'", "Accept-Ranges": "bytes"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where the content of this request belongs."""

    file_id: str
    number: int
    total: int
    size_bytes: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size_bytes

    @property
    def is_last(self) -> bool:
        return self.number == self.total


async def upload(call: Call) -> Response:
    chunk = _chunk(call)
    content, sent_name, content_type = await uploaded(call)
    if chunk.total > 1 and not chunk.is_last and len(content) != chunk.size_bytes:
        raise one_problem("uploader-chunk-size", "Every chunk but the last has the size that the header says.")
    filename = unquote(call.header("uploader-file-name")) or sent_name or "file"
    files = call.clients.files
    file_id, upload_id = await files.open(call.scope, chunk.file_id, filename[:255], content_type, {})
    await files.write(call.scope, upload_id, chunk.offset, content)
    if chunk.is_last:
        return answer(await files.finish(call.scope, upload_id))
    return answer({"fileId": file_id, "chunkNumber": chunk.number, "chunksTotal": chunk.total})


async def list_files(call: Call) -> Response:
    files, _ = await call.clients.files.page(call.scope, queries.list_query(call.parameters))
    shown = queries.projection(call.parameters)
    return answer([shown.apply(file) for file in files])


async def count_files(call: Call) -> Response:
    _, total = await call.clients.files.page(call.scope, queries.list_query(call.parameters))
    return answer({"count": total})


async def file_metadata(call: Call) -> Response:
    return answer(await call.clients.files.get(call.scope, call.value("id")))


async def download(call: Call) -> Response:
    return await sent_file(call, call.scope, call.value("id"))


async def sent_file(call: Call, scope: Scope, file_id: str) -> Response:
    """The file, or the range of it that is asked for, as something to be saved. Raises NotFound."""
    file = await call.clients.files.get(scope, file_id)
    size = int(str(file["length"]))
    wanted = byte_range(call.header("range"), size)
    start, end = wanted or (0, size)
    headers = {
        **_DOWNLOAD_HEADERS,
        "Content-Disposition": attachment(str(file["filename"])),
        "Content-Length": str(end - start),
        "ETag": f'"{file["sha256"]}"',
    }
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 200 if wanted is None else 206
    kind = _safe_type(str(file["contentType"]))
    if call.request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=kind)
    content = call.clients.files.read(scope, file_id, start, end - start)
    return StreamingResponse(content, status_code=status, headers=headers, media_type=kind)


async def delete_file(call: Call) -> Response:
    await call.clients.files.delete(call.scope, call.value("id"))
    return answer({"fileId": call.value("id")})


async def delete_files(call: Call) -> Response:
    query = queries.list_query(call.parameters)
    if not query.filter:
        raise one_problem("filter", "No filter says which files.", "Write name:value, for instance filename:a.txt.")
    deleted, remaining = 0, 1
    for _ in range(MAX_ROUNDS):
        if not remaining:
            break
        gone, remaining = await call.clients.files.delete_some(call.scope, query)
        deleted += gone
    return answer({"deletedCount": deleted, "remaining": remaining})


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Begin and end of the one range asked for; None for the whole. Raises RangeNotSatisfiable.

    Several ranges, other units and malformed headers are passed over, as HTTP allows.
    """
    found = _RANGE.match(header.strip())
    if not found or (not found[1] and not found[2]):
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start = int(found[1])
        end = min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size or end <= start:
        raise RangeNotSatisfiable(size)
    return start, end


def attachment(filename: str) -> str:
    """The Content-Disposition that saves under this name, whatever characters it has."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", filename)[:150] or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename[:255], safe='')}"


def _safe_type(content_type: str) -> str:
    return content_type if re.fullmatch(r"[\w.+/-]{3,100}", content_type, re.ASCII) else "application/octet-stream"


def _chunk(call: Call) -> Chunk:
    file_id = call.header("uploader-file-id")
    if file_id and not _FILE_ID.match(file_id):
        raise one_problem("uploader-file-id", "This is no file id.", "Use letters, digits, - and _, up to 100.")
    total = _header_number(call, "uploader-chunks-total", 1, MAX_CHUNKS)
    number = _header_number(call, "uploader-chunk-number", 1, MAX_CHUNKS)
    size = _header_number(call, "uploader-chunk-size", call.settings.upload_bytes, call.settings.upload_bytes)
    if number > total:
        raise one_problem("uploader-chunk-number", f"There are {total} chunks and this is number {number}.")
    if total > 1 and not file_id:
        raise one_problem("uploader-file-id", "A file in chunks needs an id.", "Send the same id with each chunk.")
    return Chunk(file_id, number, total, size)


def _header_number(call: Call, name: str, default: int, maximum: int) -> int:
    text = call.header(name)
    if not text:
        return default
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII) or not 1 <= int(text) <= maximum:
        raise one_problem(name, f"{text[:40]!r} is not allowed.", f"Give a whole number from 1 to {maximum}.")
    return int(text)


async def uploaded(call: Call) -> tuple[bytes, str, str]:
    """The content sent, with its name and type: a form's first file, or the body itself.

    A form's field `filename` names the file before its own name does.
    """
    media = media_type(call.header("content-type"))
    body = await call.body()
    if media == "multipart/form-data":
        return await _form_file(call, body)
    if media not in {"", "application/octet-stream"}:
        raise UnsupportedMedia("Upload a file as multipart/form-data or application/octet-stream.")
    return body, "", "application/octet-stream"


async def _form_file(call: Call, body: bytes) -> tuple[bytes, str, str]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    request = Request(call.request.scope, receive)
    try:
        async with request.form(max_files=1, max_fields=20, max_part_size=64 * 1024) as form:
            for value in form.values():
                if isinstance(value, UploadFile):
                    kind = value.content_type or "application/octet-stream"
                    given = form.get("filename")
                    name = given if isinstance(given, str) and given else value.filename or ""
                    return await value.read(), name, _safe_type(media_type(kind))
    except (MultiPartException, errors.HeadraceError, ValueError, KeyError) as error:
        raise errors.BadRequest(f"The form does not read as multipart/form-data: {error}.") from None
    raise one_problem("file", "The form holds no file.", "Add a part with a filename.")


_UPLOAD_HEADERS = (
    Parameter("uploader-file-id", "Id of the file; needed for chunks.", TEXT, place="header"),
    Parameter("uploader-file-name", "Name of the file, percent-encoded.", TEXT, place="header"),
    Parameter("uploader-chunk-size", "Bytes of every chunk but the last.", WHOLE, place="header"),
    Parameter("uploader-chunk-number", "Number of this chunk, from 1.", WHOLE, place="header"),
    Parameter("uploader-chunks-total", "How many chunks there are.", WHOLE, place="header"),
)
_CHUNK_TAKEN: dict[str, Json] = an_object({"fileId": TEXT, "chunkNumber": WHOLE, "chunksTotal": WHOLE})

ROUTES = (
    Route(
        method="POST",
        path="/files",
        handler=upload,
        policy=Policy.USER,
        tag="Files",
        summary="Upload a file or a chunk of one",
        description="Chunks come in order; the file is there after the last one.",
        parameters=_UPLOAD_HEADERS,
        request=an_object({"file": {"type": "string", "format": "binary"}}, required=("file",)),
        request_media_type="multipart/form-data",
        answers=(Answer(200, "The file, or what was taken.", {"anyOf": [ref("File"), _CHUNK_TAKEN]}),),
        errors=(400, 409),
        limit=Limit.UPLOAD,
    ),
    Route(
        method="GET",
        path="/files",
        handler=list_files,
        policy=Policy.USER,
        tag="Files",
        summary="List files",
        parameters=LIST_PARAMETERS,
        answers=(Answer(200, "A page.", array_of(ref("File"))),),
        errors=(400,),
    ),
    Route(
        method="DELETE",
        path="/files",
        handler=delete_files,
        policy=Policy.USER,
        tag="Files",
        summary="Remove the files that a filter finds",
        description=(
            "Only one's own, and only with a filter. Of very many some `remaining` are left for another call; one that "
            "is interrupted has removed some."
        ),
        parameters=(replace(LIST_PARAMETERS[0], required=True), LIST_PARAMETERS[1]),
        answers=(
            Answer(
                200,
                "How many were removed.",
                an_object({"deletedCount": WHOLE, "remaining": WHOLE}, required=("deletedCount",)),
            ),
        ),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/files/count",
        handler=count_files,
        policy=Policy.USER,
        tag="Files",
        summary="Count files",
        parameters=LIST_PARAMETERS[:2],
        answers=(Answer(200, "How many.", ref("Count")),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/files/metadata/{id}",
        handler=file_metadata,
        policy=Policy.USER,
        tag="Files",
        summary="Describe a file",
        answers=(Answer(200, "The file.", ref("File")),),
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/files/{id}",
        handler=download,
        policy=Policy.USER,
        tag="Files",
        summary="Download a file",
        parameters=(Parameter("Range", "One range of bytes.", TEXT, place="header"),),
        answers=(
            Answer(200, "The content.", {"type": "string", "format": "binary"}, "application/octet-stream"),
            Answer(206, "The range.", {"type": "string", "format": "binary"}, "application/octet-stream"),
        ),
        errors=(404, 416),
    ),
    Route(
        method="DELETE",
        path="/files/{id}",
        handler=delete_file,
        policy=Policy.USER,
        tag="Files",
        summary="Remove a file",
        answers=(Answer(200, "Removed.", an_object({"fileId": TEXT}, required=("fileId",))),),
        errors=(404,),
    ),
)
