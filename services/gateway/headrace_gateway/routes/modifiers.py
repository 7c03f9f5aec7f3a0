"""The modifiers document."""

import re

from headrace_core.errors import Forbidden
from headrace_core.expressions import ScriptAnswer, ScriptCall
from starlette.responses import Response

from headrace_gateway import trying
from headrace_gateway.call import Call, answer
from headrace_gateway.revisions import IF_MATCH, expected_tag, tagged
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import ANYTHING, FREE_OBJECT, an_object, array_of

_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_DOCUMENT = an_object({"categories": FREE_OBJECT, "modifiers": FREE_OBJECT})


async def get_modifiers(call: Call) -> Response:
    document, tag = await call.clients.modifiers.tagged()
    return answer(document, headers=tagged(tag))


async def put_modifiers(call: Call) -> Response:
    saved, tag = await call.clients.modifiers.put(call.scope, await call.object(), expected_tag(call))
    return answer(saved, headers=tagged(tag))


async def delete_modifiers(call: Call) -> Response:
    await call.clients.modifiers.delete(call.scope, expected_tag(call))
    return answer({})


async def test_modifier(call: Call) -> Response:
    given = await call.object()
    arguments, named, text = given.get("arguments"), given.get("hash"), str(given["helperFn"]).strip()
    is_name = _NAME.fullmatch(text) is not None
    if not is_name and not call.caller.is_admin:
        raise Forbidden("Only an administrator tries a modifier that is not in the document. Give the name of one.")

    async def run_script(asked: ScriptCall) -> ScriptAnswer:
        return await call.clients.executions.run_modifier(call.scope, asked, "" if is_name else text)

    made = await trying.modifier(
        text if is_name else trying.TRIED,
        arguments if isinstance(arguments, list) else [],
        named if isinstance(named, dict) else {},
        call.clock.now(),
        run_script,
    )
    return answer(made)


async def transform(call: Call) -> Response:
    given = await call.object()
    entry, outputs = given["transform"], given.get("outputs")
    made = await trying.transform(
        entry if isinstance(entry, dict) else {},
        outputs if isinstance(outputs, dict) else {},
        given.get("content"),
        call.clock.now(),
        lambda asked: call.clients.executions.run_modifier(call.scope, asked),
    )
    return answer(made)


ROUTES = (
    Route(
        method="GET",
        path="/modifiers",
        handler=get_modifiers,
        policy=Policy.USER,
        tag="Modifiers",
        summary="Read the modifiers",
        answers=(Answer(200, "The document, with its ETag.", _DOCUMENT),),
    ),
    Route(
        method="PUT",
        path="/modifiers",
        handler=put_modifiers,
        policy=Policy.ADMIN,
        tag="Modifiers",
        summary="Replace the modifiers",
        parameters=(IF_MATCH,),
        request=an_object({"categories": FREE_OBJECT, "modifiers": FREE_OBJECT}, required=("modifiers",)),
        answers=(Answer(200, "The document as saved.", _DOCUMENT),),
        errors=(400, 409),
    ),
    Route(
        method="DELETE",
        path="/modifiers",
        handler=delete_modifiers,
        policy=Policy.ADMIN,
        tag="Modifiers",
        summary="Go back to the built-in modifiers",
        parameters=(IF_MATCH,),
        answers=(Answer(200, "Done.", FREE_OBJECT),),
        errors=(400, 409),
    ),
    Route(
        method="POST",
        path="/modifiers/test",
        handler=test_modifier,
        policy=Policy.USER,
        tag="Modifiers",
        summary="Try a modifier",
        description=(
            "The result for the first argument as the value and the rest as arguments; 400 without one. `helperFn` is "
            "the name of a modifier, or, for administrators, a function in JavaScript, which runs as in a flow."
        ),
        request=an_object(
            {"helperFn": {"type": "string", "maxLength": 65536}, "arguments": array_of(ANYTHING), "hash": FREE_OBJECT},
            required=("helperFn",),
        ),
        answers=(Answer(200, "The result.", ANYTHING),),
        errors=(400, 403, 413),
    ),
    Route(
        method="POST",
        path="/modifiers/transform",
        handler=transform,
        policy=Policy.USER,
        tag="Modifiers",
        summary="Try a transform",
        description=(
            "The content that `transform` ({type, modifiers, lambda}, as in a flow) makes of `outputs`, which are "
            "{componentId: {port: value}}, and of the incoming `content`."
        ),
        request=an_object(
            {"transform": FREE_OBJECT, "outputs": FREE_OBJECT, "content": ANYTHING}, required=("transform",)
        ),
        answers=(Answer(200, "The content.", ANYTHING),),
        errors=(400, 413),
    ),
)
