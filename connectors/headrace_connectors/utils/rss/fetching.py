"""How feeds are asked for."""

from datetime import timedelta

from headrace_sdk import Context, HttpResponse

TIMEOUT = timedelta(seconds=30)
ACCEPTED = (
    "application/atom+xml, application/rss+xml, application/rdf+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)
UNCHANGED = 304


async def fetch(context: Context, url: str, etag: str = "") -> HttpResponse:
    """What the server answers: the feed, or 304 where it is still the one of this tag. Raises for any other status."""
    headers = {"Accept": ACCEPTED, **({"If-None-Match": etag} if etag else {})}
    answer = await context.http.get(url, headers=headers, timeout=TIMEOUT)
    return answer.raise_for_status()
