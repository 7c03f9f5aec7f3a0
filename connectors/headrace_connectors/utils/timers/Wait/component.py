"""Hold a message back."""

from datetime import datetime

from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_instant, as_object

from headrace_connectors.utils.timers import calendar


class Wait(Component):
    """Sends its input on when the time has come. No worker is held meanwhile."""

    async def receive(self, context: Context) -> None:
        if context.port == "timeout":
            await context.send_json(context.content)
        else:
            content = as_object(context.content)
            await context.set_timeout(content, _due(content, context.now))


def _due(content: JsonObject, now: datetime) -> datetime:
    interval, until = content.get("interval"), content.get("until")
    if isinstance(interval, str) and interval.strip():
        return calendar.after(now, interval)
    if not until:
        raise CancelError("It is not said how long to wait: fill in a time, or a date.")
    moment = as_instant(until)
    if moment is None:
        raise CancelError(f"{until!r} is no date: write it like 2026-01-31T08:30:00Z.")
    return max(moment, now)
