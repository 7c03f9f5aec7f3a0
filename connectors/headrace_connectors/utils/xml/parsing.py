"""XML texts, read by expat within bounds and told as events. Document types and their entities are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler, LexicalHandler, property_lexical_handler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser
from headrace_core import Json
from headrace_sdk import CancelError, reading

MAX_CHARACTERS = 5 * 1024 * 1024
MAX_DEPTH = 100
"""Deep enough for every document people make, and JSON made of it stays within what messages may nest."""

MAX_NODES = 250_000
"""Elements and attributes together."""

_NO_DTD = "document types (<!DOCTYPE …>) are not accepted"
_CODES = {7: "InvalidTag", 8: "InvalidAttr", 4: "InvalidChar"}
"""Codes by the numbers of expat: a tag that does not match, a double attribute, an invalid token."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text is no XML, and where; line and column count from 1."""

    code: str
    message: str
    line: int
    column: int


class Events(Protocol):
    """What is told of a document, in its order. Text may come in pieces."""

    def open(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def close(self) -> None: ...

    def text(self, text: str, *, is_cdata: bool) -> None: ...

    def comment(self, text: str) -> None: ...

    def instruction(self, target: str, content: str) -> None: ...


class Silence:
    """Events that nobody hears."""

    def open(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def close(self) -> None: ...

    def text(self, text: str, *, is_cdata: bool) -> None: ...

    def comment(self, text: str) -> None: ...

    def instruction(self, target: str, content: str) -> None: ...


def written(value: Json) -> str:
    """The text of the field xml. Raises `CancelError` when there is none, or too much."""
    found = reading.as_text(value).removeprefix("\ufeff")
    if not found.strip():
        raise CancelError("The field xml is empty.")
    if len(found) > MAX_CHARACTERS:
        raise CancelError(f"The field xml has {len(found)} characters; at most {MAX_CHARACTERS} are read.")
    return found


def read(text: str, events: Events) -> None:
    """Tell the document. Raises `CancelError` when it is not well-formed, too deep or too large."""
    fault = told(text.lstrip(), events)
    if fault is not None:
        where = f"line {fault.line}, column {fault.column}"
        raise CancelError(f"The field xml is not well-formed: {fault.message} ({where}).")


def told(text: str, events: Events) -> Fault | None:
    """Tell the document as far as it is well-formed, and return what is wrong there.

    Raises `CancelError` when it is too deep or too large.
    """
    parser = DefusedExpatParser(forbid_dtd=True)
    handler = _Bounded(events)
    parser.setContentHandler(handler)
    parser.setProperty(property_lexical_handler, handler)
    try:
        parser.feed(text)
        parser.close()
    except SAXParseException as error:
        cause = error.getException()
        code = _CODES.get(getattr(cause, "code", 0), "InvalidXml")
        return Fault(code, error.getMessage(), error.getLineNumber() or 1, (error.getColumnNumber() or 0) + 1)
    except DefusedXmlException:
        return Fault("InvalidXml", _NO_DTD, parser.getLineNumber() or 1, (parser.getColumnNumber() or 0) + 1)
    except UnicodeEncodeError as error:
        before = text[: error.start]
        column = len(before) - before.rfind("\n")
        return Fault("InvalidChar", "half a surrogate pair is no character", before.count("\n") + 1, column)
    return None


class _Bounded(ContentHandler, LexicalHandler):
    """Passes the events of expat on and counts them."""

    def __init__(self, events: Events) -> None:
        super().__init__()
        self._events = events
        self._depth = 0
        self._nodes = 0
        self._is_cdata = False

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        self._depth += 1
        self._nodes += 1 + len(attrs)
        if self._depth > MAX_DEPTH:
            raise CancelError(f"The XML is nested more than {MAX_DEPTH} levels deep.")
        if self._nodes > MAX_NODES:
            raise CancelError(f"The XML has more than {MAX_NODES} elements and attributes.")
        self._events.open(name, dict(attrs.items()))

    def endElement(self, name: str) -> None:
        self._depth -= 1
        self._events.close()

    def characters(self, content: str) -> None:
        self._events.text(content, is_cdata=self._is_cdata)

    def comment(self, content: str) -> None:
        self._events.comment(content)

    def processingInstruction(self, target: str, data: str) -> None:
        self._events.instruction(target, data)

    def startCDATA(self) -> None:
        self._is_cdata = True
        # An empty section is one nonetheless.
        self._events.text("", is_cdata=True)

    def endCDATA(self) -> None:
        self._is_cdata = False
