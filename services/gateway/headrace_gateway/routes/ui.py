"""The files of the SDK, for the page here and for pages of hosts that embed the designer."""

from headrace_core import errors
from starlette.responses import Response

from headrace_gateway.call import Call
from headrace_gateway.routing import Answer, Policy, Route


async def sdk_file(call: Call) -> Response:
    name = call.value("file")
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
        answers=(Answer(200, "The file.", {"type": "string"}, "text/javascript"),),
        errors=(404,),
    ),
)
