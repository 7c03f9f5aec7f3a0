"""Begin when the flow starts."""

from typing import ClassVar

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object, iso


class OnStart(Component):
    """Fires once each time its flow starts."""

    fires_on_start: ClassVar[bool] = True

    async def receive(self, context: Context) -> None:
        started = as_object(context.content).get("started") or iso(context.now)
        await context.send_json({"started": started})
