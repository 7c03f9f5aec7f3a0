"""XML as JSON, in every form a node may ask for, and whether a text is XML at all."""

from __future__ import annotations

import time

import pytest
from headrace_connectors.utils.xml.ValidateXml.component import ValidateXml
from headrace_connectors.utils.xml.XmlToJson.component import XmlToJson
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject
from headrace_sdk.testing import run_component


async def json_of(xml: Json, **settings: Json) -> Json:
    outcome = await run_component(XmlToJson, content={"xml": xml, **settings})
    [answer] = outcome.on("out")
    assert isinstance(answer, dict)
    return answer["json"]


async def verdict(xml: Json, **settings: Json) -> Json:
    [answer] = (await run_component(ValidateXml, content={"xml": xml, **settings})).on("out")
    return answer


PLAIN: list[tuple[str, Json]] = [
    ("<a/>", {"a": ""}),
    ("<a>  x  </a>", {"a": "x"}),
    ("<a><b>1</b><b>2</b><c>x</c></a>", {"a": {"b": [1, 2], "c": "x"}}),
    ('<a id="7" on="true">x</a>', {"a": {"@id": 7, "@on": True, "#text": "x"}}),
    ('<a id=" 7 "/>', {"a": {"@id": 7}}),
    ("<a>one<b/>two</a>", {"a": {"b": "", "#text": "onetwo"}}),
    ("<a>1<!-- c -->2</a>", {"a": 12}),
    ("<a><![CDATA[<x> & ]]>y</a>", {"a": "<x> & y"}),
    ("<a>&lt;&#65;&#x42;&amp;</a>", {"a": "<AB&"}),
    ('<?xml version="1.0" encoding="utf-16"?>\n<a>ž</a>', {"a": "ž"}),
    ("\ufeff\n <a/>", {"a": ""}),
    ('<p:a xmlns:p="u"><p:b/></p:a>', {"p:a": {"@xmlns:p": "u", "p:b": ""}}),
    ("<a>\r\n<b>x\r\ny</b></a>", {"a": {"b": "x\ny"}}),
    ("<a>" + "x" * 200_000 + "</a>", {"a": "x" * 200_000}),
]


@pytest.mark.parametrize(("xml", "expected"), PLAIN)
async def test_elements_become_keys(xml: str, expected: Json) -> None:
    assert await json_of(xml) == expected


DECLARED = '<?xml version="1.0"?><?style a="b"?><a/>'
CHOSEN: list[tuple[str, JsonObject, Json]] = [
    ('<a x="1"/>', {"ignoreAttributes": True}, {"a": ""}),
    ('<a x="1"/>', {"attributeNamePrefix": "_"}, {"a": {"_x": 1}}),
    ('<a x="1"><x>2</x><x>3</x></a>', {"attributeNamePrefix": ""}, {"a": {"x": [1, 2, 3]}}),
    ('<a x="1">t</a>', {"attributesGroupName": "$", "attributeNamePrefix": ""}, {"a": {"$": {"x": 1}, "#text": "t"}}),
    ('<a x="1">t</a>', {"textNodeName": "_"}, {"a": {"@x": 1, "_": "t"}}),
    ("<a><b>t</b></a>", {"alwaysCreateTextNode": True}, {"a": {"b": {"#text": "t"}}}),
    ("<a>x<![CDATA[1]]><![CDATA[]]></a>", {"cdataPropName": "cd"}, {"a": {"cd": ["1", ""], "#text": "x"}}),
    ("<a><!--one--><b/></a>", {"commentPropName": "note"}, {"a": {"note": "one", "b": ""}}),
    (DECLARED, {}, {"a": ""}),
    (DECLARED, {"ignorePiTags": False}, {"?xml": {"@version": 1.0}, "?style": {"@a": "b"}, "a": ""}),
    (DECLARED, {"ignorePiTags": False, "ignoreDeclaration": True}, {"?style": {"@a": "b"}, "a": ""}),
    ("<a><b/><c><b/></c></a>", {"alwaysArray": "a.b, a.c"}, {"a": {"b": [""], "c": [{"b": ""}]}}),
    ("<a><b/><c><b/></c></a>", {"alwaysArray": "*.b"}, {"a": {"b": [""], "c": {"b": [""]}}}),
    ("<a>007</a>", {"numberParseLeadingZeros": False}, {"a": "007"}),
    ("<a>007</a>", {}, {"a": 7}),
    ("<a>0x1F</a>", {}, {"a": 31}),
    ("<a>0x1F</a>", {"numberParseHex": False}, {"a": "0x1F"}),
    ("<a>+420123</a>", {"numberParseSkipLike": r"^\+"}, {"a": "+420123"}),
    ("<a>12345678901234567</a>", {}, {"a": "12345678901234567"}),
    ("<a>1e999</a>", {}, {"a": "1e999"}),
    ('<a x="1">2</a>', {"parseAttributeValue": False, "parseTagValue": False}, {"a": {"@x": "1", "#text": "2"}}),
    ("<a> x </a>", {"trimValues": False}, {"a": " x "}),
    ('<p:a xmlns:p="u" p:x="1"/>', {"removeNSPrefix": True}, {"a": {"@x": 1}}),
    ("<a>&lt;&amp;</a>", {"processEntities": False}, {"a": "&lt;&amp;"}),
    ('<a on off="x" y/>', {"allowBooleanAttributes": True}, {"a": {"@on": True, "@off": "x", "@y": True}}),
    (
        "<a>1<br>2<br/><hr class='x'></a>",
        {"unpairedTags": "br,hr"},
        {"a": {"br": ["", ""], "hr": {"@class": "x"}, "#text": "12"}},
    ),
    ("<a><b> 1 < 2 & <i>x</b></a>", {"stopNodes": "a.b"}, {"a": {"b": " 1 < 2 & <i>x"}}),
    ("<a><s>1<s>2</s></s><c/></a>", {"stopNodes": "*.s"}, {"a": {"s": "1<s>2</s>", "c": ""}}),
    (
        '<a x="1">t<b/>u<b>2</b></a>',
        {"preserveOrder": True},
        [{"a": [{"#text": "t"}, {"b": []}, {"#text": "u"}, {"b": [{"#text": 2}]}], ":@": {"@x": 1}}],
    ),
    (
        "<?pi?><a><!--c--><![CDATA[d]]></a>",
        {"preserveOrder": True, "commentPropName": "#c", "cdataPropName": "#d", "ignorePiTags": False},
        [{"?pi": [{"#text": ""}]}, {"a": [{"#c": [{"#text": "c"}]}, {"#d": [{"#text": "d"}]}]}],
    ),
]


@pytest.mark.parametrize(("xml", "settings", "expected"), CHOSEN)
async def test_a_node_chooses_the_form(xml: str, settings: JsonObject, expected: Json) -> None:
    assert await json_of(xml, **settings) == expected


BOMB = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
STOLEN = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
ELSEWHERE = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>'
BROKEN: list[tuple[Json, str]] = [
    ("", "The field xml is empty"),
    (None, "The field xml is empty"),
    ("<a><b></a>", r"mismatched tag \(line 1, column 9\)"),
    ("<a>\n<b x=1/></a>", r"not well-formed \(invalid token\) \(line 2, column 6\)"),
    ("<a/><b/>", "junk after document element"),
    ("<a>&nbsp;</a>", "undefined entity"),
    ("<a x='1' x='2'/>", "duplicate attribute"),
    ("just text", "syntax error"),
    ("<a>\x00</a>", "invalid token"),
    ("<a>\ud800</a>", "half a surrogate pair"),
    (BOMB, "document types .* are not accepted"),
    (STOLEN, "document types .* are not accepted"),
    (ELSEWHERE, "document types .* are not accepted"),
    ("<a>" * 101 + "</a>" * 101, "more than 100 levels"),
    ("<a>" + "<b/>" * 250_000 + "</a>", "more than 250000 elements"),
    ("<a>" + "x" * (5 * 1024 * 1024) + "</a>", "at most 5242880"),
]


@pytest.mark.parametrize(("xml", "message"), BROKEN)
async def test_what_is_no_xml_or_too_much_is_refused(xml: Json, message: str) -> None:
    with pytest.raises(CancelError, match=message):
        await json_of(xml)


async def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(CancelError, match="numberParseSkipLike is no regular expression"):
        await json_of("<a/>", numberParseSkipLike="(")


LENIENT: JsonObject = {
    "allowBooleanAttributes": True,
    "unpairedTags": "br",
    "stopNodes": "*.raw",
    "processEntities": False,
}
HOSTILE = [
    "<a " * 300_000,
    "<a>" * 300_000,
    "<raw>" * 300_000,
    '<a "' * 300_000,
    "<a " + "x " * 500_000 + "/>",
    "<a " + " " * 1_000_000,
    "<!--" * 300_000,
    "<![CDATA[" * 300_000,
    "</a" * 300_000,
    "<a x=" + "'" * 999_999 + ">",
    "<raw>" + "</ra" * 300_000,
    "<raw><raw " * 100_000,
]


@pytest.mark.parametrize("xml", HOSTILE, ids=lambda xml: xml[:12])
async def test_hostile_texts_are_refused_in_short_time_however_lenient_the_node(xml: str) -> None:
    began = time.process_time()

    with pytest.raises(CancelError):
        await json_of(xml, **LENIENT)

    assert time.process_time() - began < 5


async def test_a_well_formed_text_is_valid() -> None:
    assert await verdict('<?xml version="1.0"?><a x="1">t</a>') == {"isValid": True}
    assert await verdict("<a b><br></a>", allowBooleanAttributes=True, unpairedTags="br") == {"isValid": True}


FAULTS: list[tuple[Json, JsonObject]] = [
    ("", {"code": "InvalidXml", "msg": "no element found", "line": 1, "col": 1}),
    ("<a>\n <b></a>", {"code": "InvalidTag", "msg": "mismatched tag", "line": 2, "col": 7}),
    ("<a x='1' x='2'/>", {"code": "InvalidAttr", "msg": "duplicate attribute", "line": 1, "col": 10}),
    ("<a b/>", {"code": "InvalidChar", "msg": "not well-formed (invalid token)", "line": 1, "col": 5}),
    ("<a>\n\ud800", {"code": "InvalidChar", "msg": "half a surrogate pair is no character", "line": 2, "col": 1}),
    (" <?xml version='1.0'?><a/>", {"code": "InvalidXml", "msg": "XML or text declaration not at start of entity"}),
    (ELSEWHERE, {"code": "InvalidXml", "msg": "document types (<!DOCTYPE …>) are not accepted"}),
]


@pytest.mark.parametrize(("xml", "fault"), FAULTS)
async def test_a_fault_is_told_with_its_place(xml: Json, fault: JsonObject) -> None:
    told = await verdict(xml)

    assert isinstance(told, dict) and isinstance(told["err"], dict)
    assert told["isValid"] is False
    assert set(told["err"]) == {"code", "msg", "line", "col"}
    assert told["err"] == {**told["err"], **fault}
