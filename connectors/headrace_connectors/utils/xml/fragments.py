"""Elements of a tree as XML texts of their own, with the namespace prefixes of the document they come from."""

from __future__ import annotations

import html
from collections.abc import Mapping
from xml.etree.ElementTree import Comment, Element, ProcessingInstruction

from headrace_sdk import CancelError

MAX_CHARACTERS = 10_000_000
XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"


class Fragments:
    """Writes elements. Raises `CancelError` when all of them together are too long."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._prefixes = prefixes
        self._length = 0

    def xml(self, element: Element) -> str:
        """The element without what follows it; the namespaces it needs are declared in its first tag."""
        chosen = _chosen(element, self._prefixes)
        pieces: list[str] = []
        declared = "".join(
            f' xmlns{":" if prefix else ""}{prefix}="{html.escape(uri)}"'
            for uri, prefix in chosen.items()
            if uri != XML_NAMESPACE
        )
        self._write(element, chosen, pieces, declared)
        return "".join(pieces)

    def _write(self, element: Element, chosen: Mapping[str, str], pieces: list[str], declared: str = "") -> None:
        text = element.text or ""
        kind: object = element.tag  # comments and instructions have the function that makes them for a tag
        if kind is Comment:
            self._add(pieces, f"<!--{text}-->")
            return
        if kind is ProcessingInstruction:
            self._add(pieces, f"<?{text}?>")
            return
        name = _named(element.tag, chosen)
        attributes = "".join(
            f' {_named(key, chosen)}="{html.escape(value)}"'.replace("\n", "&#10;").replace("\t", "&#9;")
            for key, value in element.attrib.items()
        )
        if not text and not len(element):
            self._add(pieces, f"<{name}{declared}{attributes}/>")
            return
        self._add(pieces, f"<{name}{declared}{attributes}>{html.escape(text, quote=False)}")
        for child in element:
            self._write(child, chosen, pieces)
            self._add(pieces, html.escape(child.tail or "", quote=False))
        self._add(pieces, f"</{name}>")

    def _add(self, pieces: list[str], piece: str) -> None:
        self._length += len(piece)
        if self._length > MAX_CHARACTERS:
            raise CancelError(f"What the XPath expression selects has more than {MAX_CHARACTERS} characters.")
        pieces.append(piece)


def _chosen(element: Element, prefixes: Mapping[str, str]) -> dict[str, str]:
    """A prefix for every namespace in an element; the empty one only where it cannot be misunderstood."""
    elements = [each.tag for each in element.iter() if isinstance(each.tag, str)]
    attributes = {_uri(key) for each in element.iter() for key in each.attrib}
    used = dict.fromkeys([*map(_uri, elements), *sorted(attributes)])
    may_be_default = "" not in {_uri(tag) for tag in elements}
    chosen: dict[str, str] = {XML_NAMESPACE: "xml"} if XML_NAMESPACE in used else {}
    for uri in used:
        if uri in ("", XML_NAMESPACE):
            continue
        known = [prefix for prefix, named in prefixes.items() if named == uri]
        fitting = [each for each in known if each or (may_be_default and uri not in attributes)]
        chosen[uri] = fitting[0] if fitting else _new_prefix(prefixes, chosen)
    return chosen


def _new_prefix(prefixes: Mapping[str, str], chosen: Mapping[str, str]) -> str:
    taken = {*prefixes, *chosen.values()}
    return next(name for number in range(len(taken) + 1) if (name := f"ns{number}") not in taken)


def _named(tag: str, chosen: Mapping[str, str]) -> str:
    prefix = chosen.get(_uri(tag), "")
    local = tag.rpartition("}")[2]
    return f"{prefix}:{local}" if prefix else local


def _uri(tag: str) -> str:
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""
