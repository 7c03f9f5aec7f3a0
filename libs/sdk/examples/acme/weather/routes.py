"""The far side tells of storms here; nodes hear of them, and components read the last one."""

from headrace_sdk import CancelError, Json
from headrace_sdk.plugins import Listener, PluginContext, accepts_listeners, job
from headrace_sdk.routes import Reply, Request, RouteError, route


@route("POST", "/storms/{city}", public=True)
async def storm(request: Request) -> Reply:
    told, city, context = request.json(), request.params["city"], request.context
    if not isinstance(told, dict) or "force" not in told:
        raise RouteError(400, "Say how strong it is: force.")
    await context.collection("storms").update_one({"_id": city}, {"$set": {"told": told}}, upsert=True)
    heard = await context.trigger_listeners("storm", told, lambda listener: listener.params == {"city": city})
    return Reply({"noted": city, "heard": heard}, 201)


@route("GET", "/storms/{city}")
async def last_storm(request: Request) -> Reply:
    found = await request.context.collection("storms").find_one({"_id": request.params["city"]})
    return Reply(found["told"] if found else None)


@accepts_listeners
async def accept(listener: Listener, context: PluginContext) -> Json:
    if not isinstance(listener.params, dict) or not listener.params.get("city"):
        raise CancelError("Say of which city's storms to hear.")
    return {"city": listener.params["city"]}


@job("forget breezes", "0 3 * * *")
async def forget_breezes(context: PluginContext) -> None:
    gone = await context.collection("storms").delete_many({"told.force": {"$lt": 3}})
    context.log(f"{gone} breezes are forgotten.")
