"""Components, apps and bundles: listing them, publishing them, taking them away."""

from collections.abc import AsyncGenerator

from headrace_core import Json, errors
from headrace_core.archives import LIMITS
from headrace_core.flow import spellings
from starlette.responses import Response, StreamingResponse

from headrace_gateway.bodies import media_type
from headrace_gateway.call import Call, answer
from headrace_gateway.clients.catalog import Removal
from headrace_gateway.errors import UnsupportedMedia, one_problem
from headrace_gateway.identity import STRANGER
from headrace_gateway.routes.files import attachment
from headrace_gateway.routing import Answer, Limit, Parameter, Policy, Route
from headrace_gateway.schemas import FREE_OBJECT, TEXT, YES_NO, an_object, array_of

_MEDIA = frozenset({"", "application/octet-stream", "application/zip", "application/x-zip-compressed"})
_NAMED = 20
"""Flows that a refused removal names."""


async def list_components(call: Call) -> Response:
    if call.known_caller is None:
        caller = STRANGER
        call.gateway.strangers.count(call.address)
        await call.gateway.guard.check_route(caller, "GET", call.route.path)
        everything = await call.clients.catalog.builtin_components(call.text("selector"))
    else:
        caller = call.caller
        everything = await call.clients.catalog.components(
            call.scope, call.text("selector"), include_private=call.flag("private", True)
        )
    found = await call.gateway.guard.visible(caller, everything)
    if call.flag("manifest"):
        return answer([manifest for _, manifest in found])
    return answer([name for name, _ in found])


async def list_apps(call: Call) -> Response:
    return answer(await call.clients.catalog.apps(call.scope))


async def list_app_components(call: Call) -> Response:
    app = call.text("app")
    if not app:
        raise one_problem("app", "Say which app.", "Give its id, for instance app=headrace.utils.")
    everything = await call.clients.catalog.components(call.scope, app, include_private=False)
    found = await call.gateway.guard.visible(call.caller, everything)
    manifests: list[Json] = [manifest for _, manifest in found]
    return answer(manifests)


async def list_bundles(call: Call) -> Response:
    bundles = await call.clients.catalog.bundles(call.scope)
    # Whoever looks up the bundle of a node's type must find it by the spelling that the flow has.
    return answer({name: bundles[each] for each in bundles for name in spellings(each)})


async def publish(call: Call) -> Response:
    media = media_type(call.header("content-type"))
    if media not in _MEDIA:
        raise UnsupportedMedia("Send the zip archive itself, as application/octet-stream.")
    archive = await call.body()
    if not archive:
        raise one_problem("body", "There is no archive.", "Send the zip archive itself as the body.")
    if len(archive) > LIMITS.archive_bytes:
        raise errors.TooLarge(f"An archive has at most {LIMITS.archive_bytes} bytes, and this has {len(archive)}.")
    return answer({"ticket": await call.clients.catalog.publish(call.scope, archive)})


async def publication(call: Call) -> Response:
    return answer(await call.clients.catalog.publication(call.scope, call.value("ticket")))


async def download_components(call: Call) -> Response:
    selector = call.value("selector")
    pieces = call.clients.catalog.archive(call.scope, selector)
    first = await anext(pieces, b"")  # what is refused is refused before anything is sent

    async def content() -> AsyncGenerator[bytes, None]:
        try:
            yield first
            async for piece in pieces:
                yield piece
        finally:
            await pieces.aclose()

    headers = {"Content-Disposition": attachment(f"{selector}.zip")}
    return StreamingResponse(content(), headers=headers, media_type="application/zip")


async def remove_components(call: Call) -> Response:
    selector = call.value("selector")
    removed = await call.clients.catalog.remove(call.scope, selector, force=call.flag("force"))
    if not removed.types:
        raise errors.Conflict(_in_the_way(removed), details={"flows": [flow_id for flow_id, _ in removed.flows]})
    return answer({"components": list(removed.types)})


def _in_the_way(removed: Removal) -> str:
    """Who uses what was to be removed: by name where it is the caller's own."""
    own = [f"{name!r} ({flow_id})" for flow_id, name in removed.flows[:_NAMED]]
    if len(removed.flows) > _NAMED:
        own.append(f"{len(removed.flows) - _NAMED} more of yours")
    if removed.flows_of_others:
        own.append(f"{removed.flows_of_others} of others")
    return (
        f"Flows use it: {', '.join(own)}. Take it out of them first, or repeat with force=true: flows that run go on "
        "with what they began with, and cannot be started again."
    )


ROUTES = (
    Route(
        method="GET",
        path="/components",
        handler=list_components,
        policy=Policy.OPEN,
        tag="Catalog",
        summary="List components",
        description=(
            "Without a token only what comes with Headrace, without private components and without what rules take "
            "away from users, and at most 60 times a minute from one address."
        ),
        parameters=(
            Parameter("manifest", "yes returns whole manifests instead of names.", YES_NO),
            Parameter("selector", "vendor, vendor.service, vendor.service.module or a whole type."),
            Parameter("private", "no leaves private components out.", YES_NO),
        ),
        answers=(Answer(200, "Names or manifests.", array_of({})),),
        errors=(400, 429),
    ),
    Route(
        method="POST",
        path="/components",
        is_audited=True,
        handler=publish,
        policy=Policy.USER,
        tag="Catalog",
        summary="Publish components",
        description=(
            "The body is a zip archive of one service or a part of it, up to 10 MB, with paths "
            "vendor/service/module/Component. It must be of a vendor of the caller. The answer is a ticket; what "
            "becomes of the archive is told under it."
        ),
        request={"type": "string", "format": "binary"},
        request_media_type="application/octet-stream",
        answers=(Answer(200, "Handed in.", an_object({"ticket": TEXT}, required=("ticket",))),),
        errors=(400, 403, 413, 415, 429),
        limit=Limit.UPLOAD,
    ),
    Route(
        method="GET",
        path="/components/uploader/{ticket}",
        handler=publication,
        policy=Policy.USER,
        tag="Catalog",
        summary="What became of an archive",
        description="An empty object until it is finished. `err` and `data` are there when nothing was published.",
        answers=(
            Answer(
                200,
                "As far as it is.",
                an_object(
                    {
                        "finished": TEXT,
                        "components": array_of(TEXT),
                        "err": TEXT,
                        "data": array_of(an_object({"file": TEXT, "dataPath": TEXT, "message": TEXT, "fix": TEXT})),
                    }
                ),
            ),
        ),
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/components/{selector}",
        handler=download_components,
        policy=Policy.USER,
        tag="Catalog",
        summary="Download what was published",
        description="A zip archive of the service, module or component, for developers of its vendor.",
        answers=(Answer(200, "The archive.", {"type": "string", "format": "binary"}, "application/zip"),),
        errors=(400, 403, 404),
    ),
    Route(
        method="DELETE",
        path="/components/{selector}",
        is_audited=True,
        handler=remove_components,
        policy=Policy.USER,
        tag="Catalog",
        summary="Remove published components",
        description=(
            "Of a service, module or component, by developers of its vendor. Refused while flows use it, unless "
            "forced; flows that run go on with what they began with."
        ),
        parameters=(Parameter("force", "yes removes it though flows use it.", YES_NO),),
        answers=(Answer(200, "Types that are gone.", an_object({"components": array_of(TEXT)})),),
        errors=(400, 403, 404, 409),
    ),
    Route(
        method="GET",
        path="/apps",
        handler=list_apps,
        policy=Policy.USER,
        tag="Catalog",
        summary="List apps",
        answers=(Answer(200, "What the designer shows of each, by id.", FREE_OBJECT),),
    ),
    Route(
        method="GET",
        path="/apps/components",
        handler=list_app_components,
        policy=Policy.USER,
        tag="Catalog",
        summary="List the components of an app",
        parameters=(Parameter("app", "The app's id.", required=True),),
        answers=(Answer(200, "Manifests.", array_of(FREE_OBJECT)),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/bundles",
        handler=list_bundles,
        policy=Policy.USER,
        tag="Catalog",
        summary="List bundles",
        description="The shared utilities stand there under the name of either vendor.",
        answers=(Answer(200, "Versions by bundle name.", FREE_OBJECT),),
    ),
)
