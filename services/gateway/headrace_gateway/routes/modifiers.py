"""The modifiers document."""

from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import FREE_OBJECT, an_object

_DOCUMENT = an_object({"categories": FREE_OBJECT, "modifiers": FREE_OBJECT})


async def get_modifiers(call: Call) -> Response:
    return answer(await call.clients.modifiers.get())


async def put_modifiers(call: Call) -> Response:
    return answer(await call.clients.modifiers.put(call.scope, await call.object()))


async def delete_modifiers(call: Call) -> Response:
    await call.clients.modifiers.delete(call.scope)
    return answer({})


ROUTES = (
    Route(
        method="GET",
        path="/modifiers",
        handler=get_modifiers,
        policy=Policy.USER,
        tag="Modifiers",
        summary="Read the modifiers",
        answers=(Answer(200, "The document.", _DOCUMENT),),
    ),
    Route(
        method="PUT",
        path="/modifiers",
        handler=put_modifiers,
        policy=Policy.ADMIN,
        tag="Modifiers",
        summary="Replace the modifiers",
        request=an_object({"categories": FREE_OBJECT, "modifiers": FREE_OBJECT}, required=("modifiers",)),
        answers=(Answer(200, "The document as saved.", _DOCUMENT),),
        errors=(400,),
    ),
    Route(
        method="DELETE",
        path="/modifiers",
        handler=delete_modifiers,
        policy=Policy.ADMIN,
        tag="Modifiers",
        summary="Go back to the built-in modifiers",
        answers=(Answer(200, "Done.", FREE_OBJECT),),
    ),
)
