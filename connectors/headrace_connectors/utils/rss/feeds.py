"""A feed of news as one object, whichever of the formats it is written in: RSS 2.0 and before, RDF, Atom."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

from headrace_core import Json
from headrace_sdk import CancelError, HttpResponse, JsonObject, reading

from headrace_connectors.utils import watching
from headrace_connectors.utils.xml import parsing

MAX_ITEMS = 5_000
MAX_SNIPPET = 10_000
SECONDS = 10.0

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)


@dataclass(slots=True)
class Element:
    """One element: its name as it is written, in small letters, what it says, and what is in it."""

    name: str
    attributes: Mapping[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.texts).strip()

    def first(self, *names: str) -> Element | None:
        """The first child of the first of these names that there is."""
        return next((child for name in names for child in self.children if child.name == name), None)

    def said(self, *names: str) -> str:
        """What the first of these says that says something."""
        said = (child.text for name in names for child in self.children if child.name == name)
        return next(filter(None, said), "")


async def read(answer: HttpResponse, url: str) -> JsonObject:
    """The feed {feedUrl, title, description, link, image, items}. Raises `CancelError` for what is no feed."""
    # A long feed takes a while; the event loop goes on meanwhile.
    return await asyncio.to_thread(_read, answer, url)


def _read(answer: HttpResponse, url: str) -> JsonObject:
    tree = _Tree()
    with watching.limited(SECONDS, "Reading the feed"):
        try:
            parsing.read(_text(answer), tree)
        except CancelError as error:
            raise CancelError(f"There is no feed at {url}: {error}") from error
        root = tree.root
        if root is None or root.name not in ("rss", "rdf:rdf", "feed"):
            raise CancelError(f"There is no feed at {url}: it is neither RSS nor Atom.")
        return _feed(root, answer.url or url)


def _feed(root: Element, url: str) -> JsonObject:
    channel = root if root.name == "feed" else root.first("channel") or root
    # The items of RDF stand beside its channel, those of the others in it.
    parents = (channel,) if channel is root else (channel, root)
    listed = [child for parent in parents for child in parent.children if child.name in ("item", "entry")]
    if len(listed) > MAX_ITEMS:
        raise CancelError(f"The feed has {len(listed)} items; at most {MAX_ITEMS} are read.")
    items: list[Json] = [_item(each, url) for each in listed]
    feed: JsonObject = {
        "feedUrl": url,
        "title": channel.said("title"),
        "description": channel.said("description", "subtitle", "tagline"),
        "link": _link(channel, url),
        "items": items,
    }
    image = channel.first("image") or root.first("image")
    if image is not None:
        feed["image"] = {name: image.said(name) for name in ("link", "url", "title")}
    elif logo := channel.said("logo", "icon"):
        feed["image"] = {"link": feed["link"], "url": urljoin(url, logo), "title": feed["title"]}
    return feed


def _item(element: Element, url: str) -> JsonObject:
    content = element.said("content:encoded", "content", "description", "summary")
    guid = element.said("guid", "id") or element.attributes.get("rdf:about", "")
    item: JsonObject = {
        "title": element.said("title"),
        "link": _link(element, url),
        "pubDate": element.said("pubdate", "published", "updated", "dc:date", "issued", "modified"),
        "content": content,
        "contentSnippet": _snippet(content),
        "guid": guid,
        "categories": list[Json](_categories(element)),
    }
    moment = reading.as_instant(item["pubDate"])
    return item | ({"isoDate": reading.iso(moment)} if moment else {})


def _link(element: Element, url: str) -> str:
    """Where people read it: RSS writes the address down, Atom has several and says what each is for."""
    links = [child for child in element.children if child.name == "link"]
    alternate = [each for each in links if each.attributes.get("rel", "alternate") == "alternate"]
    for each in (*alternate, *links):
        found = each.attributes.get("href") or each.text
        if found:
            return urljoin(url, found.strip())
    return ""


def _categories(element: Element) -> list[str]:
    found = (child for child in element.children if child.name in ("category", "dc:subject"))
    return [said for each in found if (said := each.text or each.attributes.get("term", ""))]


def _text(answer: HttpResponse) -> str:
    """The text, in the encoding that its mark, its header or its declaration names."""
    content = answer.content
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    named = _CHARSET.search(answer.header("content-type"))
    declared = _DECLARED.match(content)
    encoding = named[1] if named else declared[1].decode("ascii") if declared else "utf-8-sig"
    try:
        return content.decode(encoding, "replace").removeprefix("\ufeff")
    except LookupError:
        return content.decode("utf-8-sig", "replace")


def _snippet(content: str) -> str:
    """The content without its markup, on one line for each of its own."""
    reader = _Words()
    reader.feed(content[: MAX_SNIPPET * 10])
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.words).splitlines())
    return "\n".join(filter(None, lines))[:MAX_SNIPPET]


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


class _Tree(parsing.Silence):
    """Gathers elements. Of what Atom writes as XHTML the text is gathered, not the elements."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []

    def open(self, name: str, attributes: Mapping[str, str]) -> None:
        around = self._open[-1] if self._open else None
        if around is not None and around.attributes.get("type") == "xhtml":
            self._open.append(around)
            return
        made = Element(name.lower(), attributes)
        if around is not None:
            around.children.append(made)
        self.root = self.root or made
        self._open.append(made)

    def close(self) -> None:
        self._open.pop()

    def text(self, text: str, *, is_cdata: bool) -> None:
        self._open[-1].texts.append(text)
