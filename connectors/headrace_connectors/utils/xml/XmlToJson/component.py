"""XML as JSON."""

import asyncio

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.xml import objects, parsing


class XmlToJson(Component):
    """Reads an XML text into JSON."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        xml, how = parsing.written(given.get("xml")), objects.form(given)
        # Large texts take a while; the event loop goes on meanwhile.
        await context.send_json({"json": await asyncio.to_thread(objects.of_xml, xml, how)}, "out")
