"""Files of the installation that anybody reads and administrators write.

They are kept like the files of a tenant that is no user, under ids that follow from their names.
"""

from headrace_core import Json
from headrace_core.ids import derive_id
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.errors import one_problem
from headrace_gateway.identity import Scope
from headrace_gateway.routes.files import sent_file, uploaded
from headrace_gateway.routing import Answer, Limit, Parameter, Policy, Route
from headrace_gateway.schemas import FREE_OBJECT, MOMENT, PAGE_PARAMETERS, TEXT, WHOLE, YES_NO, an_object, array_of

OWNER = "public-files"
"""No user has this id: theirs are 24 hexadecimal digits."""

MAX_NAME = 200
_READING = Scope(OWNER, OWNER)


async def list_public_files(call: Call) -> Response:
    files, _ = await call.clients.files.page(_READING, queries.list_query(call.parameters))
    shown = ("filename", "length", "contentType", "uploadDate")
    return answer([{name: file[name] for name in shown} for file in files])


async def get_public_file(call: Call) -> Response:
    return await sent_file(call, _READING, _id(call.value("name")))


async def put_public_file(call: Call) -> Response:
    content, name, content_type = await uploaded(call)
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or "/" in name or name in (".", ".."):
        raise one_problem("filename", f"Give it a name of 1 to {MAX_NAME} visible characters without slashes.")
    scope, files = _writing(call), call.clients.files
    _, upload_id = await files.open(scope, _id(name), name, content_type, {})
    await files.write(scope, upload_id, 0, content)
    await files.finish(scope, upload_id)
    return answer({"ok": True})


async def delete_public_file(call: Call) -> Response:
    await call.clients.files.delete(_writing(call), _id(call.value("name")))
    return answer({})


def _writing(call: Call) -> Scope:
    return Scope(OWNER, call.caller.user_id)


def _id(name: str) -> str:
    return derive_id("public file", name)


_FILE: dict[str, Json] = an_object({"filename": TEXT, "length": WHOLE, "contentType": TEXT, "uploadDate": MOMENT})
_BINARY: dict[str, Json] = {"type": "string", "format": "binary"}

ROUTES = (
    Route(
        method="GET",
        path="/public-files",
        handler=list_public_files,
        policy=Policy.PUBLIC,
        tag="Public files",
        summary="List public files",
        parameters=PAGE_PARAMETERS,
        answers=(Answer(200, "A page.", array_of(_FILE)),),
        errors=(400,),
    ),
    Route(
        method="POST",
        path="/public-files",
        handler=put_public_file,
        policy=Policy.ADMIN,
        tag="Public files",
        summary="Put a public file in place of the one of its name",
        request=an_object({"filename": TEXT, "file": _BINARY}, required=("file",)),
        request_media_type="multipart/form-data",
        answers=(Answer(200, "Put.", an_object({"ok": YES_NO})),),
        errors=(400, 409),
        limit=Limit.UPLOAD,
    ),
    Route(
        method="GET",
        path="/public-files/{name}",
        handler=get_public_file,
        policy=Policy.PUBLIC,
        tag="Public files",
        summary="Download a public file",
        parameters=(Parameter("Range", "One range of bytes.", TEXT, place="header"),),
        answers=(
            Answer(200, "The content.", _BINARY, "application/octet-stream"),
            Answer(206, "The range.", _BINARY, "application/octet-stream"),
        ),
        errors=(404, 416),
    ),
    Route(
        method="DELETE",
        path="/public-files/{name}",
        handler=delete_public_file,
        policy=Policy.ADMIN,
        tag="Public files",
        summary="Remove a public file",
        answers=(Answer(200, "Removed.", FREE_OBJECT),),
        errors=(404,),
    ),
)
