"""What is almost XML, made XML: attributes without value, elements without end, raw contents, literal entities.

Texts are only rewritten where a node is set to accept these; whether the result is well-formed is for the parser to
say. Line numbers stay; columns behind a mended place move. Every step takes time linear in the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from headrace_core import Json
from headrace_sdk import reading

from headrace_connectors.utils.xml.parsing import MAX_DEPTH

_TAG = re.compile(r"""<([^\s/>"'=<]++)((?:[^"'><]++|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s=/"']++)(\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'/]++))?+""")
_RAW_TAG = r"<(/?){name}(?=[\s/>])[^>]*+>"
_SECTIONS = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"))


@dataclass(frozen=True, slots=True)
class Leniency:
    """What is accepted beyond XML. Paths are names from the root joined by dots, or `*.name` for any depth."""

    has_boolean_attributes: bool = False
    unpaired: frozenset[str] = frozenset()
    raw_paths: frozenset[str] = frozenset()
    keeps_entities: bool = False
    drops_prefixes: bool = False


def listed(value: Json) -> frozenset[str]:
    """The names or paths of a field: a list, or text with commas."""
    names = value if isinstance(value, list) else reading.as_text(value).split(",")
    return frozenset(name for each in names if (name := reading.as_text(each).strip()))


def is_among(path: tuple[str, ...], paths: frozenset[str]) -> bool:
    """Whether an element at this path is meant by one of the paths."""
    return bool(paths) and (".".join(path) in paths or f"*.{path[-1]}" in paths)


def local(name: str) -> str:
    """A name without its namespace prefix."""
    return name.rpartition(":")[2]


def mended(text: str, allowed: Leniency) -> str:
    """The text with what is allowed written as XML."""
    if allowed in (Leniency(), Leniency(drops_prefixes=True)):
        return text
    return "".join(_Mender(text, allowed).pieces())


class _Mender:
    """Goes through a text once, tag by tag."""

    def __init__(self, text: str, allowed: Leniency) -> None:
        self._text = text
        self._allowed = allowed
        self._place = 0
        self._path: list[str] = []

    def pieces(self) -> Iterator[str]:
        text = self._text
        while self._place < len(text):
            start = text.find("<", self._place)
            if start < 0:
                break
            yield self._literal(text[self._place : start])
            self._place = start
            section = next((ends for ends in _SECTIONS if text.startswith(ends[0], start)), None)
            yield from [self._section(*section)] if section else self._tag()
        yield self._literal(text[self._place :])

    def _section(self, opening: str, closing: str) -> str:
        end = self._text.find(closing, self._place + len(opening))
        return self._taken(len(self._text) if end < 0 else end + len(closing))

    def _tag(self) -> Iterator[str]:
        if self._text.startswith("</", self._place):
            yield self._end_tag()
            return
        found = _TAG.match(self._text, self._place)
        if found is None or len(self._path) > MAX_DEPTH:
            # This is no XML however it is mended, and going on could take long.
            yield self._taken(len(self._text))
            return
        self._place = found.end()
        name, rest = found[1], found[2].rstrip()
        is_closed = rest.endswith("/")
        inner = self._attributes(rest.removesuffix("/"), found[2])
        if name in self._allowed.unpaired:
            yield f"<{name}{inner}/>"
            return
        yield f"<{name}{inner}{'/' if is_closed else ''}>"
        if not is_closed:
            self._path.append(local(name) if self._allowed.drops_prefixes else name)
            if is_among(tuple(self._path), self._allowed.raw_paths):
                yield self._raw(name)

    def _end_tag(self) -> str:
        end = self._text.find(">", self._place)
        tag = self._taken(len(self._text) if end < 0 else end + 1)
        if tag[2:-1].strip() in self._allowed.unpaired:
            return "\n" * tag.count("\n")
        if self._path:
            self._path.pop()
        return tag

    def _attributes(self, rest: str, whole: str) -> str:
        if self._allowed.has_boolean_attributes:
            rest = _ATTRIBUTE.sub(lambda found: found[0] if found[2] else f'{found[1]}="true"', rest)
        # Line ends behind the last attribute are kept, so that line numbers stay.
        return self._literal(rest) + "\n" * (whole.count("\n") - rest.count("\n"))

    def _raw(self, name: str) -> str:
        """The content up to the end tag of this element, with its markup turned into text."""
        depth = 1
        for tag in re.compile(_RAW_TAG.format(name=re.escape(name))).finditer(self._text, self._place):
            if tag[1]:
                depth -= 1
            elif not tag[0].endswith("/>"):
                depth += 1
            if depth == 0:
                return html.escape(self._taken(tag.start()), quote=False)
        return self._taken(len(self._text))

    def _literal(self, text: str) -> str:
        return text.replace("&", "&amp;") if self._allowed.keeps_entities else text

    def _taken(self, end: int) -> str:
        found = self._text[self._place : end]
        self._place = end
        return found
