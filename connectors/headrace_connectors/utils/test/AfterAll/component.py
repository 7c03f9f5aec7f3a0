"""A test ends."""

from datetime import timedelta

from headrace_core import Json
from headrace_sdk import Component, Context, JsonObject
from headrace_sdk.reading import as_list, as_object, as_seconds

from headrace_connectors.utils.test import rounds

DEFAULT_TIMEOUT_SECONDS = 180


class AfterAll(Component):
    """Waits until every connected link has delivered in this round, then sends all that came as one list.

    When a round takes too long, it sends which links are missing instead. Either happens once per round: messages
    may arrive in several runs at the same time, and whoever sees that the round is over claims its end by a counter.
    """

    async def start(self, context: Context) -> None:
        # So that a test is reported, too, when nothing ever comes of it.
        await context.set_timeout({}, _patience(context))

    async def receive(self, context: Context) -> None:
        test = await rounds.current(context)
        if context.port == "timeout":
            await _time_is_up(context, test)
        elif await test.state.inc(f"ends {test.id}", 0) == 0:  # read so that a repeated step reads it again
            await _collect(context, test)


async def _collect(context: Context, test: rounds.Round) -> None:
    message = context.messages["in"][0]
    arrival: JsonObject = {
        "id": context.idempotency_key,
        "link": f"{message.node_id}:{message.port}",
        "content": message.content,
    }
    arrived = await test.state.add_to_set(f"arrived {test.id}", arrival)
    if _missing(context, arrived):
        if len(arrived) == 1:
            await _wait(context, test)
    elif await _claim_end(test):
        alarm = await test.state.get(_alarm(test))  # kept until the next round: a repeated step reads it again
        if alarm:
            await context.clear_timeout(str(alarm))
        contents = [as_object(each)["content"] for each in arrived]
        await context.send_json(contents if len(_sources(context)) > 1 else message.content)


async def _wait(context: Context, test: rounds.Round) -> None:
    until = (test.started or context.now) + _patience(context)
    await test.state.set(_alarm(test), await context.set_timeout({"round": test.id}, until))


async def _time_is_up(context: Context, test: rounds.Round) -> None:
    timed = as_object(context.content).get("round")
    if timed is None:
        # Set when the flow started, and a test may have begun later, or not at all.
        if test.started is None:
            return
        if context.now < test.started + _patience(context):
            await _wait(context, test)
            return
    elif timed != test.id:
        return
    missing = _missing(context, as_list(await test.state.get(f"arrived {test.id}")))
    if missing and await _claim_end(test):
        labels: list[Json] = [_label(context, link) for link in missing]
        await context.send_json({"message": "timed out", "timedOutLinks": labels})


async def _claim_end(test: rounds.Round) -> bool:
    if await test.state.inc(f"ends {test.id}") != 1:
        return False
    await rounds.forget_others(test)
    await test.state.unset(f"arrived {test.id}")
    return True


def _alarm(test: rounds.Round) -> str:
    """Where the id of the round's timeout is kept: whoever ends the round clears it, so that its run can end too."""
    return f"alarm {test.id}"


def _sources(context: Context) -> JsonObject:
    """The connected nodes, each with its out-ports."""
    node = as_object(context.flow_descriptor.get(context.node_id))
    return as_object(as_object(node.get("source")).get("in"))


def _missing(context: Context, arrived: list[Json]) -> list[str]:
    """Links from which nothing has come, as `node:port`."""
    seen = {as_object(each)["link"] for each in arrived}
    awaited = [f"{node}:{port}" for node, ports in _sources(context).items() for port in as_list(ports)]
    return [link for link in awaited if link not in seen]


def _label(context: Context, link: str) -> str:
    node_id, _, port = link.partition(":")
    node = as_object(context.flow_descriptor.get(node_id))
    return f"{node.get('label') or node.get('type') or node_id}:{port}"


def _patience(context: Context) -> timedelta:
    return as_seconds(context.properties.get("timeout"), DEFAULT_TIMEOUT_SECONDS)
