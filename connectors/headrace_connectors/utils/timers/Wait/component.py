"""Hold a message back."""

from datetime import datetime, timedelta

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_instant, as_object, iso

from headrace_connectors.utils.timers import calendar

LONGEST_TIMEOUT = timedelta(days=30)


class Wait(Component):
    """Sends its input on when the time has come. No worker is held meanwhile.

    The platform keeps a timeout for about a month; a longer wait is several of them, one after the other.
    """

    async def receive(self, context: Context) -> None:
        content = as_object(context.content)
        if context.port != "timeout":
            await _wait(context, content, _due(content, context.now))
            return
        due = as_instant(content.get("due"))
        if due is not None and context.now < due:
            await _wait(context, content.get("input"), due)
        else:
            await context.send_json(content.get("input"))


async def _wait(context: Context, held: Json, due: datetime) -> None:
    await context.set_timeout({"input": held, "due": iso(due)}, min(due, context.now + LONGEST_TIMEOUT))


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
