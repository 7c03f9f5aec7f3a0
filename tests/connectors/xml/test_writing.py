"""JSON as XML: the form a node asks for, and what XML cannot hold."""

from __future__ import annotations

import json

import pytest
from defusedxml.ElementTree import fromstring
from headrace_connectors.utils.xml.JsonToXml.component import JsonToXml
from headrace_connectors.utils.xml.XmlToJson.component import XmlToJson
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject
from headrace_sdk.testing import run_component
from hypothesis import given
from hypothesis import strategies as st


async def xml_of(value: Json, **settings: Json) -> str:
    [answer] = (await run_component(JsonToXml, content={"json": value, **settings})).on("out")
    assert isinstance(answer, dict)
    return str(answer["xml"])


WRITTEN: list[tuple[Json, JsonObject, str]] = [
    ({"a": "x"}, {}, "<a>x</a>"),
    ('{"a": [1, true, null, ""]}', {}, "<a>1</a><a>true</a><a/><a></a>"),
    ({"a": {"@id": 1, "#text": "t", "b": {}}}, {}, '<a id="1">t<b></b></a>'),
    ({"a": {"_id": 1, "text": "t"}}, {"attributeNamePrefix": "_", "textNodeName": "text"}, '<a id="1">t</a>'),
    ({"a": {"$": {"id": 1}, "b": 2}}, {"attributesGroupName": "$"}, '<a id="1"><b>2</b></a>'),
    ({"a": {"@id": 1, "b": 2}}, {"ignoreAttributes": True}, "<a><b>2</b></a>"),
    ({"a": {"c": "x]]>y"}}, {"cdataPropName": "c"}, "<a><![CDATA[x]]]]><![CDATA[>y]]></a>"),
    ({"a": {"c": ["one", "two"]}}, {"commentPropName": "c"}, "<a><!--one--><!--two--></a>"),
    ([{"b": 1}, "x"], {"arrayNodeName": "a"}, "<a><b>1</b></a><a>x</a>"),
    ({"a": []}, {}, ""),
    ({"a": {}}, {"suppressEmptyNode": True}, "<a/>"),
    ({"a": {"@on": True, "@off": False}}, {"suppressBooleanAttributes": True}, '<a on off="false"></a>'),
    ({"a": {"br": ["", {"@x": 1}]}}, {"unpairedTags": "br"}, '<a><br/><br x="1"/></a>'),
    ({"a": {"br": ""}}, {"unpairedTags": "br", "suppressUnpairedNode": True}, "<a><br></a>"),
    ({"?xml": {"@version": "1.0"}, "a": 1}, {}, '<?xml version="1.0"?><a>1</a>'),
    ({"a": "<b>&</b>"}, {"processEntities": True}, "<a>&lt;b&gt;&amp;&lt;/b&gt;</a>"),
    ({"a": "<b>x</b>"}, {}, "<a><b>x</b></a>"),
    ({"a": "<b>x</b>"}, {"processEntities": True, "stopNodes": "a"}, "<a><b>x</b></a>"),
    ({"a": "AT&T &amp; <b>"}, {}, "<a>AT&amp;T &amp;amp; &lt;b&gt;</a>"),
    ({"a": "</a><evil/><a>"}, {}, "<a>&lt;/a&gt;&lt;evil/&gt;&lt;a&gt;</a>"),
    ({"a": {"@x": '"><b y="&amp;&'}}, {}, '<a x="&quot;&gt;&lt;b y=&quot;&amp;&amp;"></a>'),
    (
        {"a": {"b": [1, {"c": "t"}], "d": ""}},
        {"format": True},
        "<a>\n  <b>1</b>\n  <b>\n    <c>t</c>\n  </b>\n  <d></d>\n</a>",
    ),
    ({"a": {"b": 1}}, {"format": True, "indentBy": 1}, "<a>\n <b>1</b>\n</a>"),
    (
        [{"a": [{"#text": "t"}, {"b": []}, {"#text": "u"}], ":@": {"@x": 1}}],
        {"preserveOrder": True},
        '<a x="1">t<b></b>u</a>',
    ),
]


@pytest.mark.parametrize(("value", "settings", "expected"), WRITTEN)
async def test_keys_become_elements(value: Json, settings: JsonObject, expected: str) -> None:
    assert await xml_of(value, **settings) == expected


deep: Json = "x"
for _ in range(101):
    deep = {"a": deep}

REFUSED: list[tuple[Json, JsonObject, str]] = [
    ("{", {}, "The field json is not well-formed JSON"),
    ("5", {}, "The field json must be an object and is a number"),
    ([1], {}, "name the element of its entries in arrayNodeName"),
    ({"a": {"b c": 1}}, {}, "The key 'b c' in a cannot be a name"),
    ({"a><b": 1}, {}, "cannot be a name"),
    ({"": 1}, {}, "The key '' in the field json"),
    ({"a": {"@x y": 1}}, {}, "The key 'x y' in a cannot be a name"),
    ({"a": [[1]]}, {}, "A list in a list cannot become XML: a"),
    ({"a": {"b": "\x00"}}, {}, r"The text of a.b has the character '\\x00'"),
    ({"a": {"c": "x--y"}}, {"commentPropName": "c"}, "two dashes"),
    ({"a": {"b": 1}}, {"format": True, "indentBy": 500}, "indentBy must be a whole number"),
    ([{"a": [], "b": []}], {"preserveOrder": True}, "must have one name, not 2"),
    ([5], {"preserveOrder": True}, "must be an object"),
    (deep, {}, "more than 100 levels"),
    ({"a": ["x" * 1_100_000] * 10}, {}, "more than 10485760 characters"),
]


@pytest.mark.parametrize(("value", "settings", "message"), REFUSED)
async def test_what_cannot_become_xml_is_named(value: Json, settings: JsonObject, message: str) -> None:
    with pytest.raises(CancelError, match=message):
        await xml_of(value, **settings)


NAMES = st.sampled_from(["a", "b", "c:d", "é", "_x", "x-1"])
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8)
VALUES = st.recursive(
    TEXTS, lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(TEXTS, min_size=1), max_leaves=8
)


@given(value=st.dictionaries(NAMES.filter(lambda name: ":" not in name), VALUES, min_size=1, max_size=1))
async def test_what_is_written_is_well_formed_whatever_the_texts_hold(value: dict[str, Json]) -> None:
    for escapes in (True, False):
        xml = await xml_of(value, processEntities=escapes)

        fromstring(f"<root xmlns:c='c'>{xml}</root>", forbid_dtd=True)


SAME = [
    '<a x="1">t<b>2</b><b>x &amp; y</b></a>',
    "<a><!--c--><b><![CDATA[<d>]]></b></a>",
    '<p:a xmlns:p="u"><p:b on="true"/></p:a>',
]


@pytest.mark.parametrize("xml", SAME)
@pytest.mark.parametrize("keeps_order", [True, False])
async def test_json_of_xml_becomes_the_same_json_again(xml: str, keeps_order: bool) -> None:
    form: JsonObject = {"preserveOrder": keeps_order, "commentPropName": "#c", "cdataPropName": "#d"}

    async def read(text: str) -> Json:
        [answer] = (await run_component(XmlToJson, content={"xml": text, **form})).on("out")
        assert isinstance(answer, dict)
        return answer["json"]

    first = await read(xml)

    assert await read(await xml_of(json.dumps(first), processEntities=True, **form)) == first
