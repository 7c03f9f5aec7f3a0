"""The files of the SDK, for the page here and for pages of hosts that embed the designer."""

from headrace_core import errors
from starlette.responses import Response

from headrace_gateway.call import Call
from headrace_gateway.routing import Answer, Handler, Policy, Route
from headrace_gateway.schemas import FREE_OBJECT, TEXT

APPMIXER = {"/appmixer/appmixer.js": "compat.js", "/appmixer/package/strings-en.json": "strings-en.json"}
"""Where pages of Appmixer's SDK look for its script and its texts, and what they find."""


async def sdk_file(call: Call) -> Response:
    return _file(call, call.value("file"))


def _alias(name: str) -> Handler:
    async def file(call: Call) -> Response:
        return _file(call, name)

    return file


def _file(call: Call, name: str) -> Response:
    found = call.gateway.ui.file(name, call.request.scope)
    if found is None:
        hint = "" if call.gateway.ui.is_built else "; `make ui` builds the user interface"
        raise errors.NotFound("file", name[:100] + hint)
    return found


ROUTES = (
    Route(
        method="GET",
        path="/sdk/{file}",
        handler=sdk_file,
        policy=Policy.PUBLIC,
        tag="System",
        summary="A file of the user interface",
        description=(
            "Pages of any origin may load it: `headrace.mjs` is the module, `headrace.js` the loader for plain script "
            "tags. Files with a hash in their name never change."
        ),
        answers=(Answer(200, "The file.", TEXT, "text/javascript"),),
        errors=(404,),
    ),
    *(
        Route(
            method="GET",
            path=path,
            handler=_alias(name),
            policy=Policy.PUBLIC,
            tag="System",
            summary=summary,
            description=f"The same as `/sdk/{name}`.",
            answers=(Answer(200, "The file.", schema, media_type),),
            errors=(404,),
        )
        for (path, name), summary, media_type, schema in zip(
            APPMIXER.items(),
            ("The script of Appmixer's SDK", "The texts of the interface in English"),
            ("text/javascript", "application/json"),
            (TEXT, FREE_OBJECT),
            strict=True,
        )
    ),
)
