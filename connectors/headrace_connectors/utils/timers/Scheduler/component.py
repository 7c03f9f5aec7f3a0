"""Times written the way cron has them."""

from collections.abc import Mapping

from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_core.schedules import Cron, Schedule
from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_flag, as_instant, as_object, as_text, iso


class Scheduler(Component):
    """Fires at the times that its four fields name, and at the start of its flow where that is wanted."""

    def schedule(self, properties: Mapping[str, Json]) -> Schedule | None:
        fields = {name: as_text(properties.get(name)).strip() for name in ("minute", "hour", "dayMonth", "dayWeek")}
        try:
            return Cron(
                minute=fields["minute"],
                hour=fields["hour"],
                day_of_month=fields["dayMonth"],
                month="*",
                day_of_week=fields["dayWeek"],
                zone=as_text(properties.get("timezone")) or "UTC",
            )
        except ValidationFailed as error:
            raise CancelError(f"The schedule makes no sense. {error.message}") from error

    def fire_immediately(self, properties: Mapping[str, Json]) -> bool:
        return as_flag(properties.get("immediate"))

    async def receive(self, context: Context) -> None:
        fired = as_object(context.content)
        sent: JsonObject = {"now": iso(context.now)}
        for name in ("now", "previousDate", "nextDate"):
            moment = as_instant(fired.get(name))
            sent[name] = iso(moment) if moment else sent.get(name)
        await context.send_json(sent)
