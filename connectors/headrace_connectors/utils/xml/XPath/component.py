"""Parts of an XML text."""

import asyncio

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.xml import parsing, queries


class XPath(Component):
    """Sends what an XPath 1.0 expression finds in an XML text."""

    async def receive(self, context: Context) -> None:
        given = reading.as_object(context.content)
        xml, expression = parsing.written(given.get("xml")), reading.as_text(given.get("xpath"))
        result = await asyncio.to_thread(queries.answer, xml, expression)
        await context.send_json({"result": result}, "out")
