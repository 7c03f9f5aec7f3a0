"""JSON as XML."""

import asyncio

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.xml import writing


class JsonToXml(Component):
    """Writes JSON, given as value or as text, as XML."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        value, how = reading.parse_json(given.get("json"), "The field json"), writing.form(given)
        # Large values take a while; the event loop goes on meanwhile.
        await context.send_json({"xml": await asyncio.to_thread(writing.xml, value, how)}, "out")
