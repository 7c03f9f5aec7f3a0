"""XPath over XML: what expressions find, and that no expression takes long or gives too much."""

from __future__ import annotations

import sys
import time
import weakref

import pytest
from headrace_connectors.utils import watching
from headrace_connectors.utils.xml import queries
from headrace_connectors.utils.xml.XPath.component import XPath
from headrace_core import Json
from headrace_sdk import CancelError
from headrace_sdk.testing import run_component

SHOP = """<shop xmlns:p="urn:price" lang="en">
  <item id="1"><name>Nail &amp; nut</name><p:price cur="EUR">1.50</p:price></item>
  <item id="2"><name>Saw</name><p:price>20</p:price><!-- new --></item>
</shop>"""


async def found(expression: Json, xml: str = SHOP) -> Json:
    [answer] = (await run_component(XPath, content={"xml": xml, "xpath": expression})).on("out")
    assert isinstance(answer, dict)
    return answer["result"]


FOUND: list[tuple[str, Json]] = [
    ("//item/@id", ["1", "2"]),
    ("//item[2]/name", ["<name>Saw</name>"]),
    ("//item[@id='1']/name/text()", ["Nail & nut"]),
    ("/shop/item[1]/name", ["<name>Nail &amp; nut</name>"]),
    ("string(//name)", "Nail & nut"),
    ("count(//item)", 2),
    ("sum(//p:price)", 21.5),
    ("//p:price > 10", True),
    ("//p:price[@cur]", ['<p:price xmlns:p="urn:price" cur="EUR">1.50</p:price>']),
    ("//comment()", ["<!-- new -->"]),
    ("//nothing", []),
    ("1 div 0", "Infinity"),
    ("number('x')", "NaN"),
    ("7 div 2", 3.5),
    ("99999999999999999999 + 1", 1e20),
    ("name(/*)", "shop"),
    ("concat(/shop/@lang, '-', count(//item))", "en-2"),
    ("//item/name | //item/@id", ["1", "<name>Nail &amp; nut</name>", "2", "<name>Saw</name>"]),
]


@pytest.mark.parametrize(("expression", "expected"), FOUND)
async def test_expressions_find_texts_numbers_and_nodes(expression: str, expected: Json) -> None:
    assert await found(expression) == expected


async def test_the_document_is_its_root_element_and_nothing_follows_an_element() -> None:
    xml = "<a>one<b x='&quot;&#10;'/>two<?go now?></a>"

    assert await found("/", xml) == ['<a>one<b x="&quot;&#10;"/>two<?go now?></a>']
    assert await found("//b", xml) == ['<b x="&quot;&#10;"/>']


NAMESPACES = [
    ('<a xmlns="u"><b/></a>', '<a xmlns="u"><b/></a>'),
    ('<p:a xmlns:p="u"><b/></p:a>', '<p:a xmlns:p="u"><b/></p:a>'),
    ('<a xmlns="u"><b xmlns=""/></a>', '<ns0:a xmlns:ns0="u"><b/></ns0:a>'),
    ('<p:a xmlns:p="u"><p:b xmlns:p="v"/></p:a>', '<p:a xmlns:p="u" xmlns:ns0="v"><ns0:b/></p:a>'),
    ('<a xml:lang="en"/>', '<a xml:lang="en"/>'),
    ('<a xmlns="u" xmlns:p="u" p:x="1"/>', '<p:a xmlns:p="u" p:x="1"/>'),
]


@pytest.mark.parametrize(("xml", "expected"), NAMESPACES)
async def test_elements_declare_the_namespaces_they_need(xml: str, expected: str) -> None:
    assert await found("/*", xml) == [expected]


REFUSED: list[tuple[Json, str, str]] = [
    ("", SHOP, "The field xpath is empty"),
    (None, SHOP, "The field xpath is empty"),
    ("//item[", SHOP, "cannot be evaluated"),
    ("$x", SHOP, "unknown variable 'x'"),
    ("document('file:///etc/passwd')", SHOP, "unknown function 'document'"),
    ("//q:item", SHOP, "prefix 'q' is not declared"),
    ("/" * 3000, SHOP, "at most 2000"),
    ("(" * 900, SHOP, "cannot be evaluated"),
    ("-" * 1900 + "1", SHOP, "cannot be evaluated"),
    ("//a", "<a>", "not well-formed"),
    ("//a", "<p:a/>", "unbound prefix"),
    ("//a", '<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', "document types"),
    ("//a", "<a>" * 101 + "</a>" * 101, "more than 100 levels"),
    ("concat(" + "/," * 900 + "/)", "<a>" + "x" * 100_000 + "</a>", "may join more than"),
    ("//*", "<a>" * 90 + "x" * 200_000 + "</a>" * 90, "more than 10000000 characters"),
    ("//b", "<a>" + "<b/>" * 100_001 + "</a>", "at most 100000"),
]


@pytest.mark.parametrize(("expression", "xml", "message"), REFUSED, ids=lambda each: str(each)[:20])
async def test_expressions_and_texts_that_make_no_sense_or_too_much_are_refused(
    expression: Json, xml: str, message: str
) -> None:
    with pytest.raises(CancelError, match=message):
        await found(expression, xml)


SLOW = [
    "count(//*[count(//*[count(//*) > 1]) > 1])",
    "//*[. = //*[. = //*]/following::*]",
    "count(//b[preceding::b[following::b[preceding::b]]])",
    "count(" + "//*/following::*" * 20 + ")",
    "//b/@x = //b/@y",
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # one that is lost comes again
@pytest.mark.parametrize("expression", SLOW)
def test_an_expression_that_never_ends_is_stopped(expression: str) -> None:
    xml = "<a>" + "".join(f'<b x="{place}" y="-{place}"/>' for place in range(3_000)) + "</a>"
    began = time.process_time()

    with pytest.raises(CancelError, match=r"takes more than 0\.5 seconds"):
        queries.answer(xml, expression, seconds=0.5)

    assert time.process_time() - began < 5


def test_the_watch_is_gone_when_its_block_is_left() -> None:
    with pytest.raises(CancelError, match="The work takes more than"), watching.limited(0.05, "The work"):
        while True:
            len("")

    assert sys.getprofile() is None


def test_an_error_of_the_watch_that_is_lost_comes_again() -> None:
    lost = 0
    with pytest.raises(CancelError, match="The work takes more than"), watching.limited(0.05, "The work"):
        while lost < 3:
            try:
                while True:
                    len("")
            except CancelError:
                lost += 1
        while True:
            len(b"")

    assert (lost, sys.getprofile(), sys.gettrace()) == (3, None, None)


def test_an_error_of_the_watch_that_a_weak_reference_drops_comes_again() -> None:
    class Gone:
        pass

    calls = 0

    def drop(_: object) -> None:
        nonlocal calls
        calls += 1
        for _ in range(200):
            len("")

    def make() -> None:
        gone = Gone()
        kept.append(weakref.ref(gone, drop))

    kept: list[weakref.ref[Gone]] = []
    unheard: list[object] = []
    former, sys.unraisablehook = sys.unraisablehook, unheard.append
    try:
        with pytest.raises(CancelError, match="The work takes more than"), watching.limited(0.05, "The work"):
            while True:
                make()
    finally:
        sys.unraisablehook = former
    assert calls > 0
