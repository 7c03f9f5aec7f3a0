"""The far side tells of storms here; components read the last one."""

from headrace_sdk.routes import Reply, Request, RouteError, route


@route("POST", "/storms/{city}", public=True)
async def storm(request: Request) -> Reply:
    told = request.json()
    if not isinstance(told, dict) or "force" not in told:
        raise RouteError(400, "Say how strong it is: force.")
    await request.context.service_state.set(f"storm {request.params['city']}", told)
    return Reply({"noted": request.params["city"]}, 201)


@route("GET", "/storms/{city}")
async def last_storm(request: Request) -> Reply:
    return Reply(await request.context.service_state.get(f"storm {request.params['city']}"))
