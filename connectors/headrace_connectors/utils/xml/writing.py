"""JSON as XML: objects by element name, or lists that keep the order.

What is written is well-formed whatever the JSON holds: names are checked, and a text that is to be written as it is
(as entities are not processed) is escaped nonetheless when it is no XML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from headrace_core import Json
from headrace_sdk import CancelError, JsonObject, reading

from headrace_connectors.utils.xml import leniency, parsing
from headrace_connectors.utils.xml.objects import ATTRIBUTES

MAX_CHARACTERS = 10 * 1024 * 1024
MAX_INDENT = 16

_START = r"[^\W\d]"
_NAME = re.compile(rf"(?:{_START}|:)(?:\w|[.\-:·])*")
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:lt|gt|amp|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """How the XML is to look; the names are those of the fields of the node."""

    prefix: str
    group: str
    text_name: str
    cdata_name: str
    comment_name: str
    list_name: str
    indent: str
    unpaired: frozenset[str]
    raw_paths: frozenset[str]
    ignores_attributes: bool
    keeps_order: bool
    escapes: bool
    shortens_true: bool
    shortens_empty: bool
    shortens_unpaired: bool


def form(given: JsonObject) -> Form:
    """The form a node asks for. Raises `CancelError` for an indent that is none."""
    prefix = given.get("attributeNamePrefix")
    return Form(
        prefix="@" if prefix is None else reading.as_text(prefix),
        group=reading.as_text(given.get("attributesGroupName")),
        text_name=reading.as_text(given.get("textNodeName")) or "#text",
        cdata_name=reading.as_text(given.get("cdataPropName")),
        comment_name=reading.as_text(given.get("commentPropName")),
        list_name=reading.as_text(given.get("arrayNodeName")),
        indent=_indent(given.get("indentBy")) if reading.as_flag(given.get("format")) else "",
        unpaired=leniency.listed(given.get("unpairedTags")),
        raw_paths=leniency.listed(given.get("stopNodes")),
        ignores_attributes=reading.as_flag(given.get("ignoreAttributes")),
        keeps_order=reading.as_flag(given.get("preserveOrder")),
        escapes=reading.as_flag(given.get("processEntities")),
        shortens_true=reading.as_flag(given.get("suppressBooleanAttributes")),
        shortens_empty=reading.as_flag(given.get("suppressEmptyNode")),
        shortens_unpaired=reading.as_flag(given.get("suppressUnpairedNode")),
    )


def xml(value: Json, how: Form) -> str:
    """The XML of a value. Raises `CancelError` that names the place for what XML cannot hold."""
    writer = _Writer(how)
    if how.keeps_order:
        pieces = writer.in_order(value, ())
    elif isinstance(value, list):
        if not how.list_name:
            raise CancelError("The field json is a list: name the element of its entries in arrayNodeName.")
        pieces = writer.entry(how.list_name, value, ())
    else:
        pieces = writer.members(reading.as_object(value, "The field json"), ())
    return _bounded(pieces).strip("\n")


def _bounded(pieces: Iterator[str]) -> str:
    taken: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_CHARACTERS:
            raise CancelError(f"The XML would have more than {MAX_CHARACTERS} characters.")
        taken.append(piece)
    return "".join(taken)


class _Writer:
    """Writes the parts of a value, each with the names that lead to it."""

    def __init__(self, how: Form) -> None:
        self._how = how

    def members(self, value: JsonObject, path: Path) -> Iterator[str]:
        """What stands between the tags of the element at this path."""
        for name, each in value.items():
            if not self._is_attribute(name, path):
                yield from self.entry(name, each, path)

    def entry(self, name: str, value: Json, path: Path) -> Iterator[str]:
        """One key of an object: text, comment, instruction, or an element for each of its values."""
        how = self._how
        if name == how.text_name:
            yield from (self._text(each, path) for each in reading.as_list(value))
        elif how.comment_name and name == how.comment_name:
            yield from (self._line(path) + self._comment(each, path) for each in reading.as_list(value))
        elif how.cdata_name and name == how.cdata_name:
            yield from (self._cdata(each, path) for each in reading.as_list(value))
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, list):
                    raise CancelError(f"A list in a list cannot become XML: {_shown((*path, name))}.")
                yield from self._element(name, each, path)
        else:
            yield from self._element(name, value, path)

    def in_order(self, value: Json, path: Path) -> Iterator[str]:
        """The entries of the list form: objects with one name, and `:@` for the attributes."""
        for each in reading.as_list(value):
            entry = reading.as_object(each, f"Every entry in {_shown(path)}")
            attributes = reading.as_object(entry.get(ATTRIBUTES), f"The key {ATTRIBUTES} in {_shown(path)}")
            names = [name for name in entry if name != ATTRIBUTES]
            if len(names) != 1:
                raise CancelError(f"Every entry in {_shown(path)} must have one name, not {len(names)}.")
            [name] = names
            yield from self._ordered_entry(name, entry[name], attributes, path)

    def _ordered_entry(self, name: str, value: Json, attributes: JsonObject, path: Path) -> Iterator[str]:
        how = self._how
        if name == how.text_name:
            yield self._text(value, path)
        elif how.comment_name and name == how.comment_name:
            yield self._line(path) + self._comment(self._only_text(value), path)
        elif how.cdata_name and name == how.cdata_name:
            yield self._cdata(self._only_text(value), path)
        else:
            here = self._below(name, path)
            shown = self._attributes(attributes, here)
            yield from self._tagged(here, shown, self.in_order(value, here))

    def _only_text(self, value: Json) -> str:
        entries = [reading.as_object(each) for each in reading.as_list(value) if isinstance(each, dict)]
        return "".join(reading.as_text(each.get(self._how.text_name)) for each in entries)

    def _element(self, name: str, value: Json, path: Path) -> Iterator[str]:
        here = self._below(name, path)
        if isinstance(value, dict):
            attributes = self._attributes(self._gathered(value, here), here)
            yield from self._tagged(here, attributes, self.members(value, here))
        elif value is None:
            yield f"{self._line(path)}<{name}{'?' if name.startswith('?') else '/'}>"
        else:
            yield from self._tagged(here, "", iter([self._text(value, here)]))

    def _tagged(self, path: Path, attributes: str, content: Iterator[str]) -> Iterator[str]:
        how, name = self._how, path[-1]
        line = self._line(path[:-1])
        if name.startswith("?"):
            yield f"{line}<{name}{attributes}?>"
            return
        if name in how.unpaired:
            yield f"{line}<{name}{attributes}{'' if how.shortens_unpaired else '/'}>"
            return
        first = next((piece for piece in content if piece), None)
        if first is None:
            yield f"{line}<{name}{attributes}/>" if how.shortens_empty else f"{line}<{name}{attributes}></{name}>"
            return
        yield f"{line}<{name}{attributes}>"
        last = first
        yield first
        for piece in content:
            last = piece or last
            yield piece
        # Text stands directly between its tags; only after an element the end tag has its own line.
        yield f"{self._line(path[:-1]) if last.endswith('>') and first.startswith(chr(10)) else ''}</{name}>"

    def _gathered(self, value: JsonObject, path: Path) -> JsonObject:
        how = self._how
        found = {name: each for name, each in value.items() if self._is_attribute(name, path) and name != how.group}
        return (
            found | reading.as_object(value.get(how.group), f"The attributes of {_shown(path)}") if how.group else found
        )

    def _attributes(self, found: JsonObject, path: Path) -> str:
        how = self._how
        if how.ignores_attributes:
            return ""
        written: list[str] = []
        for key, value in found.items():
            name = _checked(key.removeprefix(how.prefix), path)
            if value is True and how.shortens_true:
                written.append(f" {name}")
                continue
            text = _allowed(reading.as_text(value), path)
            escaped = html.escape(text) if how.escapes else _escaped_once(text)
            written.append(f' {name}="{escaped}"')
        return "".join(written)

    def _is_attribute(self, name: str, path: Path) -> bool:
        how = self._how
        if not path:
            return False
        return (
            name == how.group if how.group and name == how.group else bool(how.prefix) and name.startswith(how.prefix)
        )

    def _text(self, value: Json, path: Path) -> str:
        text = _allowed(reading.as_text(value), path)
        if "<" not in text and "&" not in text and "]]>" not in text:
            return html.escape(text, quote=False) if self._how.escapes else text
        is_raw = bool(path) and leniency.is_among(path, self._how.raw_paths)
        return text if (is_raw or not self._how.escapes) and _is_content(text) else html.escape(text, quote=False)

    def _cdata(self, value: Json, path: Path) -> str:
        text = _allowed(reading.as_text(value), path).replace("]]>", "]]]]><![CDATA[>")
        return f"<![CDATA[{text}]]>"

    def _comment(self, value: Json, path: Path) -> str:
        text = _allowed(reading.as_text(value), path)
        if "--" in text or text.endswith("-"):
            raise CancelError(f"A comment in {_shown(path)} has two dashes or ends with one, which XML does not allow.")
        return f"<!--{text}-->"

    def _below(self, name: str, path: Path) -> Path:
        if len(path) >= parsing.MAX_DEPTH:
            raise CancelError(f"The field json is nested more than {parsing.MAX_DEPTH} levels deep.")
        _checked(name.removeprefix("?"), path)
        return (*path, name)

    def _line(self, path: Path) -> str:
        return f"\n{self._how.indent * len(path)}" if self._how.indent else ""


def _checked(name: str, path: Path) -> str:
    if not _NAME.fullmatch(name):
        raise CancelError(f"The key {name!r} in {_shown(path)} cannot be a name in XML.")
    return name


def _allowed(text: str, path: Path) -> str:
    found = _FORBIDDEN.search(text)
    if found:
        raise CancelError(f"The text of {_shown(path)} has the character {found[0]!r}, which XML cannot hold.")
    return text


def _is_content(text: str) -> bool:
    try:
        return parsing.told(f"<x>{text}</x>", parsing.Silence()) is None
    except CancelError:
        return False


def _escaped_once(text: str) -> str:
    return _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _indent(value: Json) -> str:
    count = reading.as_number(value)
    if value not in (None, "") and (count is None or not 0 < count <= MAX_INDENT or count != int(count)):
        raise CancelError(f"The field indentBy must be a whole number from 1 to {MAX_INDENT}, not {value!r}.")
    return " " * int(count or 2)


def _shown(path: Path) -> str:
    return ".".join(path) or "the field json"
