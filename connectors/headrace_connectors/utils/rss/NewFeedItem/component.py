"""What is new in a feed."""

import hashlib

from headrace_sdk import Component, Context, JsonObject
from headrace_sdk.reading import as_list, as_object, as_text

from headrace_connectors.utils.http import fields
from headrace_connectors.utils.rss import feeds, fetching

MOST_KNOWN = 10_000


class NewFeedItem(Component):
    """Looks into a feed each tick and sends the items it has not seen, the oldest first.

    The first look sends nothing. What was seen is kept with the step that sends it, so that each item leaves once.
    """

    async def tick(self, context: Context) -> None:
        url = fields.checked_url(context.properties.get("url"))
        seen = as_object(await context.state.get("seen"))
        known = as_list(seen.get("keys")) if seen.get("url") == url else None
        answer = await fetching.fetch(context, url, as_text(seen.get("etag")) if known is not None else "")
        if answer.status == fetching.UNCHANGED:
            return
        items = as_list((await feeds.read(answer, url)).get("items"))
        by_key = {_key(as_object(item)): item for item in reversed(items)}
        if known is not None:
            before = set(map(as_text, known))
            await context.send_array([item for key, item in by_key.items() if key not in before])
        kept = [*dict.fromkeys([*by_key, *map(as_text, known or [])])][:MOST_KNOWN]
        await context.state.set("seen", {"url": url, "etag": answer.header("etag"), "keys": [*kept]})


def _key(item: JsonObject) -> str:
    """What tells an item from others: its id, else where it is, else what it says."""
    said = item.get("guid") or item.get("link") or [item.get("title"), item.get("pubDate"), item.get("content")]
    return hashlib.sha256(as_text(said).encode("utf-8", "surrogatepass")).hexdigest()[:32]
