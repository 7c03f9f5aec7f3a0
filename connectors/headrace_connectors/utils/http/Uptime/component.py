"""Whether a site answers."""

from datetime import datetime, timedelta

from headrace_core import Json
from headrace_sdk import Component, Context, JsonObject, TransientError

from headrace_connectors.utils.http import durations, fields

MONITOR = "monitor"
TIMEOUT = timedelta(seconds=30)


class Uptime(Component):
    """Asks for the target each tick; tells when it goes down (no answer, or 5xx) and when it is up again."""

    async def tick(self, context: Context) -> None:
        target = fields.checked_url(context.properties.get("target"))
        status = await _status(context, target)
        is_up = status is not None and status < 500
        former = _former(await context.state.get(MONITOR))
        if former.get("status") == ("up" if is_up else "down"):
            return
        await context.state.set(MONITOR, {"status": "up" if is_up else "down", "since": context.now.isoformat()})
        if is_up:
            await context.send_json({"target": target, "statusCode": status, **_down_time(former, context.now)}, "up")
        else:
            await context.send_json({"target": target, "statusCode": status}, "down")


async def _status(context: Context, target: str) -> int | None:
    try:
        return (await context.http.request("GET", target, timeout=TIMEOUT)).status
    except TransientError:
        return None


def _former(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _down_time(former: JsonObject, now: datetime) -> JsonObject:
    since = former.get("since")
    if not isinstance(since, str):
        return {"downTimeMs": None, "downTimeText": None}
    down = now - datetime.fromisoformat(since)
    return {"downTimeMs": round(down.total_seconds() * 1000), "downTimeText": durations.in_words(down)}
