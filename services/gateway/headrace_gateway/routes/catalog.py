"""Components, apps and bundles."""

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.errors import one_problem
from headrace_gateway.routing import Answer, Parameter, Policy, Route
from headrace_gateway.schemas import FREE_OBJECT, YES_NO, array_of


async def list_components(call: Call) -> Response:
    everything = await call.clients.catalog.components(
        call.scope, call.text("selector"), include_private=call.flag("private", True)
    )
    found = await call.gateway.guard.visible(call.caller, everything)
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
    return answer(await call.clients.catalog.bundles(call.scope))


ROUTES = (
    Route(
        method="GET",
        path="/components",
        handler=list_components,
        policy=Policy.USER,
        tag="Catalog",
        summary="List components",
        parameters=(
            Parameter("manifest", "yes returns whole manifests instead of names.", YES_NO),
            Parameter("selector", "vendor, vendor.service, vendor.service.module or a whole type."),
            Parameter("private", "no leaves private components out.", YES_NO),
        ),
        answers=(Answer(200, "Names or manifests.", array_of({})),),
        errors=(400,),
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
        answers=(Answer(200, "Versions by bundle name.", FREE_OBJECT),),
    ),
)
