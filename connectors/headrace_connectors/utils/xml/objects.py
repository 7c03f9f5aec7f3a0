"""XML as JSON: objects by element name, or lists that keep the order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace_core import Json
from headrace_sdk import JsonObject, reading

from headrace_connectors.utils.xml import leniency, parsing, values
from headrace_connectors.utils.xml.leniency import Leniency
from headrace_connectors.utils.xml.values import Numbers

ATTRIBUTES = ":@"
"""Where the list form keeps the attributes of an element."""

_DECLARATION = re.compile(r"<\?xml((?:\s[^?]*+)?)\?>")
_ATTRIBUTE = re.compile(r"""([^\s=]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")


@dataclass(frozen=True, slots=True)
class Form:
    """How the JSON is to look; the names are those of the fields of the node."""

    prefix: str
    group: str
    text_name: str
    cdata_name: str
    comment_name: str
    lenient: Leniency
    lists: frozenset[str]
    numbers: Numbers
    ignores_attributes: bool
    ignores_declaration: bool
    ignores_instructions: bool
    always_text: bool
    types_attributes: bool
    types_texts: bool
    keeps_order: bool
    trims: bool


def form(given: JsonObject) -> Form:
    """The form a node asks for. Raises `CancelError` for settings that make no sense."""

    def is_on(name: str, *, default: bool = False) -> bool:
        found = given.get(name)
        return default if found is None else reading.as_flag(found)

    prefix = given.get("attributeNamePrefix")
    return Form(
        prefix="@" if prefix is None else reading.as_text(prefix),
        group=reading.as_text(given.get("attributesGroupName")),
        text_name=reading.as_text(given.get("textNodeName")) or "#text",
        cdata_name=reading.as_text(given.get("cdataPropName")),
        comment_name=reading.as_text(given.get("commentPropName")),
        lenient=Leniency(
            has_boolean_attributes=is_on("allowBooleanAttributes"),
            unpaired=leniency.listed(given.get("unpairedTags")),
            raw_paths=leniency.listed(given.get("stopNodes")),
            keeps_entities=not is_on("processEntities", default=True),
            drops_prefixes=is_on("removeNSPrefix"),
        ),
        lists=leniency.listed(given.get("alwaysArray")),
        numbers=values.numbers(given),
        ignores_attributes=is_on("ignoreAttributes"),
        ignores_declaration=is_on("ignoreDeclaration"),
        ignores_instructions=is_on("ignorePiTags", default=True),
        always_text=is_on("alwaysCreateTextNode"),
        types_attributes=is_on("parseAttributeValue", default=True),
        types_texts=is_on("parseTagValue", default=True),
        keeps_order=is_on("preserveOrder"),
        trims=is_on("trimValues", default=True),
    )


def of_xml(xml: str, how: Form) -> Json:
    """The JSON of a document. Raises `CancelError` as `parsing.read` does."""
    builder = _Builder(how)
    declared = _DECLARATION.match(xml.lstrip())
    if declared and not how.ignores_declaration:
        builder.instruction("xml", declared[1])
    parsing.read(leniency.mended(xml, how.lenient), builder)
    return builder.result()


@dataclass(slots=True)
class _Element:
    """An element that is open. Only one of `named` and `ordered` is used, as the form asks."""

    path: tuple[str, ...]
    attributes: JsonObject
    named: JsonObject = field(default_factory=dict)
    ordered: list[Json] = field(default_factory=list)
    texts: list[Json] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    cdata: list[str] | None = None


class _Builder:
    """Implements `parsing.Events`: keeps the open elements, innermost last, below the document itself."""

    def __init__(self, how: Form) -> None:
        self._how = how
        self._open = [_Element((), {})]

    def result(self) -> Json:
        document = self._open[0]
        return document.ordered if self._how.keeps_order else document.named

    def open(self, name: str, attributes: Mapping[str, str]) -> None:
        self._end_text()
        shown = leniency.local(name) if self._how.lenient.drops_prefixes else name
        self._open.append(_Element((*self._open[-1].path, shown), self._attributes(attributes)))

    def close(self) -> None:
        self._end_text()
        element = self._open.pop()
        name = element.path[-1]
        if self._how.keeps_order:
            entry: JsonObject = {name: element.ordered}
            self._open[-1].ordered.append(entry | ({ATTRIBUTES: element.attributes} if element.attributes else {}))
        else:
            is_listed = leniency.is_among(element.path, self._how.lists)
            _put(self._open[-1].named, name, self._compressed(element), is_listed=is_listed)

    def text(self, text: str, *, is_cdata: bool) -> None:
        element = self._open[-1]
        if is_cdata and self._how.cdata_name:
            if not text:
                self._end_text()
                element.cdata = []
            elif element.cdata is not None:
                element.cdata.append(text)
            return
        self._end_cdata()
        element.pending.append(text)

    def comment(self, text: str) -> None:
        # Without a name comments are as if they were not there: the text around them is one.
        if self._how.comment_name:
            self._end_text()
            self._add(self._how.comment_name, text)

    def instruction(self, target: str, content: str) -> None:
        if self._how.ignores_instructions:
            return
        self._end_text()
        found = {each[1]: each[2] if each[2] is not None else each[3] for each in _ATTRIBUTE.finditer(content)}
        attributes = self._attributes(found)
        if self._how.keeps_order:
            entry: JsonObject = {f"?{target}": [{self._how.text_name: ""}]}
            self._open[-1].ordered.append(entry | ({ATTRIBUTES: attributes} if attributes else {}))
        else:
            _put(self._open[-1].named, f"?{target}", attributes or "")

    def _attributes(self, found: Mapping[str, str]) -> JsonObject:
        how = self._how
        if how.ignores_attributes or not found:
            return {}
        named: JsonObject = {}
        for name, text in found.items():
            if how.lenient.drops_prefixes:
                if name == "xmlns" or name.startswith("xmlns:"):
                    continue
                name = leniency.local(name)
            value = text.strip() if how.trims else text
            named[how.prefix + name] = values.typed(value, how.numbers) if how.types_attributes else value
        return {how.group: named} if how.group and named else named

    def _end_text(self) -> None:
        """Take the text gathered so far as one."""
        self._end_cdata()
        element, how = self._open[-1], self._how
        text = "".join(element.pending)
        element.pending.clear()
        is_raw = leniency.is_among(element.path, how.lenient.raw_paths) if element.path else False
        text = text.strip() if how.trims and not is_raw else text
        if not text:
            return
        value = values.typed(text, how.numbers) if how.types_texts and not is_raw else text
        if how.keeps_order:
            element.ordered.append({how.text_name: value})
        else:
            element.texts.append(value)

    def _end_cdata(self) -> None:
        element = self._open[-1]
        if element.cdata is not None:
            text, element.cdata = "".join(element.cdata), None
            self._add(self._how.cdata_name, text)

    def _add(self, name: str, text: str) -> None:
        if self._how.keeps_order:
            self._open[-1].ordered.append({name: [{self._how.text_name: text}]})
        else:
            _put(self._open[-1].named, name, text)

    def _compressed(self, element: _Element) -> Json:
        how, texts = self._how, element.texts
        text: Json = texts[0] if len(texts) == 1 else "".join(map(reading.as_text, texts))
        if not element.attributes and not element.named and not how.always_text:
            return text
        made: JsonObject = {**element.attributes}
        for name, value in element.named.items():
            _put(made, name, value)
        if text != "" or (how.always_text and not element.named and not element.attributes):
            _put(made, how.text_name, text)
        return made


def _put(into: JsonObject, name: str, value: Json, *, is_listed: bool = False) -> None:
    if name not in into:
        into[name] = [value] if is_listed else value
        return
    former = into[name]
    if isinstance(former, list):
        former.append(value)
    else:
        into[name] = [former, *reading.as_list(value)]
