"""A feed, once."""

from headrace_sdk import Component, Context, reading

from headrace_connectors.utils.http import fields
from headrace_connectors.utils.rss import feeds, fetching


class GetFeed(Component):
    """Fetches a feed and sends it, with its items in the order it has them."""

    async def receive(self, context: Context) -> None:
        url = fields.checked_url(reading.as_object(context.content).get("url"))
        answer = await fetching.fetch(context, url)
        await context.send_json({"feed": await feeds.read(answer, url)}, "out")
