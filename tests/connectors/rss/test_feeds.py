"""Feeds of every format, and what is new in them."""

from __future__ import annotations

from typing import Any

import pytest
from headrace_connectors.utils.rss import feeds
from headrace_connectors.utils.rss.GetFeed.component import GetFeed
from headrace_connectors.utils.rss.NewFeedItem.component import NewFeedItem
from headrace_sdk import CancelError, HttpResponse, HttpStatusError
from headrace_sdk.testing import HttpRequest, World, run_component, run_tick

URL = "https://news.example/feed"
RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:content="c" xmlns:dc="d"><channel>
<title>News</title><link>https://news.example/</link><description>All of it</description>
<image><url>https://news.example/i.png</url><title>I</title><link>https://news.example/</link></image>
<item><title>A &amp; B</title><link>/a</link><guid>1</guid><pubDate>Fri, 31 Jan 2020 12:00:00 +0100</pubDate>
<description>short</description><content:encoded><![CDATA[<p>One</p> <p>Two &lt;3</p>]]></content:encoded>
<category>x</category><category>y</category></item>
<item><title>C</title></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><subtitle>All</subtitle>
<link rel="self" href="https://news.example/feed"/><link href="https://news.example/"/><logo>/i.png</logo>
<entry><id>urn:1</id><title>A</title><link rel="edit" href="/e"/><link href="/a"/>
<updated>2020-01-31T11:00:00Z</updated>
<content type="xhtml"><div>One <b>two</b></div></content><category term="x"/></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="r" xmlns="s" xmlns:dc="d"><channel><title>News</title><link>https://news.example/</link>
</channel><item rdf:about="urn:1"><title>A</title><link>https://news.example/a</link><dc:date>2020-01-31</dc:date></item></rdf:RDF>"""


def serving(text: str | bytes, kind: str = "application/xml", status: int = 200, etag: str = "") -> World:
    """A world in which there is one feed."""
    content = text.encode() if isinstance(text, str) else text

    async def site(request: HttpRequest) -> HttpResponse:
        if etag and request.headers.get("If-None-Match") == etag:
            return HttpResponse(304, [("ETag", etag)], url=request.url)
        return HttpResponse(status, [("Content-Type", kind), ("ETag", etag)], content, url=request.url)

    return World(http=site)


async def feed_of(world: World) -> dict[str, Any]:
    [sent] = (await run_component(GetFeed, content={"url": URL}, world=world)).on("out")
    assert isinstance(sent, dict) and isinstance(sent["feed"], dict)
    return sent["feed"]


async def test_rss_is_read() -> None:
    feed = await feed_of(serving(RSS))

    first, second = feed.pop("items")
    assert feed == {
        "feedUrl": URL,
        "title": "News",
        "description": "All of it",
        "link": "https://news.example/",
        "image": {"link": "https://news.example/", "url": "https://news.example/i.png", "title": "I"},
    }
    assert first == {
        "title": "A & B",
        "link": "https://news.example/a",
        "pubDate": "Fri, 31 Jan 2020 12:00:00 +0100",
        "isoDate": "2020-01-31T11:00:00.000Z",
        "content": "<p>One</p> <p>Two &lt;3</p>",
        "contentSnippet": "One Two <3",
        "guid": "1",
        "categories": ["x", "y"],
    }
    assert (second["title"], second["guid"], "isoDate" in second) == ("C", "", False)


async def test_atom_is_read() -> None:
    feed = await feed_of(serving(ATOM))

    [entry] = feed["items"]
    assert (feed["title"], feed["description"], feed["link"]) == ("News", "All", "https://news.example/")
    assert feed["image"]["url"] == "https://news.example/i.png"
    assert (entry["guid"], entry["link"], entry["categories"]) == ("urn:1", "https://news.example/a", ["x"])
    assert (entry["isoDate"], entry["content"]) == ("2020-01-31T11:00:00.000Z", "One two")


async def test_rdf_is_read() -> None:
    feed = await feed_of(serving(RDF))

    [item] = feed["items"]
    assert (feed["title"], item["title"], item["guid"]) == ("News", "A", "urn:1")
    assert item["isoDate"] == "2020-01-31T00:00:00.000Z"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (RSS.replace("News", "Žluť").encode("utf-16"), "text/xml"),
        (RSS.replace("News", "Žluť").encode("utf-8-sig"), "text/xml"),
        (
            RSS.replace("News", "Žluť").replace('"1.0"?', '"1.0" encoding="iso-8859-2"?').encode("iso-8859-2"),
            "text/xml",
        ),
        (RSS.replace("News", "Žluť").encode("cp1250"), "text/xml; charset=windows-1250"),
        (RSS.replace("News", "Žluť").encode(), "text/xml; charset=nonsense"),
    ],
)
async def test_the_encoding_is_the_one_that_is_named(content: bytes, kind: str) -> None:
    assert (await feed_of(serving(content, kind)))["title"] == "Žluť"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><body>no</body></html>",
        "<rss><channel>",
        '<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]><rss><channel><title>&f;</title></channel></rss>',
        "<rss>" + "<channel>" * 200 + "</channel>" * 200 + "</rss>",
        "<rss><channel>" + "<item/>" * (feeds.MAX_ITEMS + 1) + "</channel></rss>",
    ],
)
async def test_what_is_no_feed_or_too_much_of_one_is_refused(text: str) -> None:
    with pytest.raises(CancelError, match=r"no feed|at most"):
        await feed_of(serving(text))


async def test_a_status_that_is_none_of_a_feed_fails() -> None:
    with pytest.raises(HttpStatusError, match="404"):
        await feed_of(serving("", status=404))


def rss_of(*titles: str, guid: bool = True) -> str:
    items = "".join(f"<item><title>{each}</title>{f'<guid>{each}</guid>' if guid else ''}</item>" for each in titles)
    return f"<rss><channel><title>News</title>{items}</channel></rss>"


async def told(world: World, text: str, url: str = URL, etag: str = "") -> list[str]:
    """The titles that a tick sends while the feed is this one."""
    world.http = serving(text, etag=etag).http
    outcome = await run_tick(NewFeedItem, properties={"url": url}, world=world)
    return [str(each["title"]) for each in outcome.on("out") if isinstance(each, dict)]


@pytest.mark.parametrize("guid", [True, False])
async def test_new_items_leave_once_and_the_oldest_first(guid: bool) -> None:
    world = World()

    assert await told(world, rss_of("b", "a", guid=guid)) == []
    assert await told(world, rss_of("d", "c", "b", "a", guid=guid)) == ["c", "d"]
    assert await told(world, rss_of("d", "c", guid=guid)) == []
    assert await told(world, rss_of("e", "b", "a", guid=guid)) == ["e"], "what was gone for a while is not new"


async def test_a_feed_that_did_not_change_is_not_read_again() -> None:
    world = World()
    await told(world, rss_of("a"), etag='"1"')

    assert await told(world, "no feed at all", etag='"1"') == []
    assert await told(world, rss_of("b", "a"), etag='"2"') == ["b"]


async def test_another_feed_begins_anew() -> None:
    world = World()
    await told(world, rss_of("a"), etag='"1"')

    assert await told(world, rss_of("x"), "https://news.example/other", etag='"1"') == []
    assert await told(world, rss_of("y", "x"), "https://news.example/other") == ["y"]
