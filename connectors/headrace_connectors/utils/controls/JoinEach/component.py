"""What Each sent apart comes together."""

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_flag, as_number, as_object, as_seconds

DEFAULT_TIMEOUT_SECONDS = 300


class JoinEach(Component):
    """Collects the messages of port `in` that share a correlation id, until there are as many as `count` says.

    Everything is kept by the run in lists that only grow by atomic verbs, so messages may arrive at once and in any
    order: whoever sees that a round is complete claims it by a counter, and the first claim sends. A step that is
    repeated gets the same answers from those verbs, so it comes to the same end.
    """

    async def receive(self, context: Context) -> None:
        # Without a form the input is the item itself, and that may be anything.
        content = context.content if isinstance(context.content, dict) else {}
        group = str(content.get("correlationId") or context.correlation_id)
        match context.port:
            case "count":
                await self._expect(context, group, content)
            case "timeout":
                await self._give_up(context, group, content)
            case _:
                await self._collect(context, group)

    async def _expect(self, context: Context, group: str, content: JsonObject) -> None:
        count = as_number(content.get("count"))
        if count is None:
            raise CancelError("The count is missing: give it the count that Each sends to its port done.")
        if count <= 0:
            await context.send_json({"items": []})
            return
        round_id = context.idempotency_key
        timeout_id = await _set_timeout(context, group, round_id, content)
        expected: JsonObject = {"id": round_id, "count": count, "timeoutId": timeout_id}
        await context.run_state.add_to_set(_expected(group), expected)
        await self._send_if_complete(context, group)

    async def _collect(self, context: Context, group: str) -> None:
        item: JsonObject = {"id": context.idempotency_key, "content": context.messages["in"][0].content}
        await context.run_state.add_to_set(_arrived(group), item)
        await self._send_if_complete(context, group)

    async def _send_if_complete(self, context: Context, group: str) -> None:
        waiting = await _read(context, _expected(group))
        arrived = await _read(context, _arrived(group))
        if not waiting:
            return
        expected = as_object(waiting[0])
        if len(arrived) < (as_number(expected["count"]) or 0) or not await _claim(context, group, expected):
            return
        if expected["timeoutId"]:
            await context.clear_timeout(str(expected["timeoutId"]))
        await _forget(context, group, expected, arrived)
        await context.send_json({"items": _contents(arrived)})

    async def _give_up(self, context: Context, group: str, content: JsonObject) -> None:
        for waiting in await _read(context, _expected(group)):
            expected = as_object(waiting)
            if expected["id"] != content.get("round") or not await _claim(context, group, expected):
                continue
            arrived = await _read(context, _arrived(group))
            await _forget(context, group, expected, arrived)
            missed: JsonObject = {"items": _contents(arrived), "count": expected["count"], "arrived": len(arrived)}
            await context.send_json(missed, "timeout")


async def _set_timeout(context: Context, group: str, round_id: str, content: JsonObject) -> str:
    if not as_flag(content.get("timeout", True)):
        return ""
    delay = as_seconds(content.get("timeoutValue"), DEFAULT_TIMEOUT_SECONDS)
    return await context.set_timeout({"correlationId": group, "round": round_id}, delay)


async def _read(context: Context, key: str) -> list[Json]:
    # Removing nothing reads the list in a way that a repeated step reads again; a plain read would see what it forgot.
    return await context.run_state.remove_from_set(key, None)


async def _claim(context: Context, group: str, expected: JsonObject) -> bool:
    return await context.run_state.inc(f"claims of {group}: {expected['id']}") == 1


async def _forget(context: Context, group: str, expected: JsonObject, arrived: list[Json]) -> None:
    # What comes later belongs to the next round, so only what this round used may go.
    await context.run_state.remove_from_set(_expected(group), expected)
    for item in arrived:
        await context.run_state.remove_from_set(_arrived(group), item)


def _contents(arrived: list[Json]) -> list[Json]:
    return [as_object(item)["content"] for item in arrived]


def _expected(group: str) -> str:
    return f"expected by {group}"


def _arrived(group: str) -> str:
    return f"arrived for {group}"
