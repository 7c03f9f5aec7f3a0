"""XPath 1.0 over an XML text. Expressions of strangers are bounded in length, depth, time and what they give.

XPath 1.0 has no way to reach files or the network, and no regular expressions.
"""

from __future__ import annotations

import math
from decimal import Decimal
from xml.etree.ElementTree import Element, ElementTree, TreeBuilder

from defusedxml.ElementTree import ParseError, XMLParser
from elementpath import ElementPathError, XPath1Parser, XPathContext
from headrace_core import Json
from headrace_sdk import CancelError

from headrace_connectors.utils import watching
from headrace_connectors.utils.xml import parsing
from headrace_connectors.utils.xml.fragments import Fragments

MAX_EXPRESSION = 2000
MAX_JOINED = 50_000_000
MAX_RESULTS = 100_000
MAX_EXACT = 2**53
SECONDS = 5.0


def answer(xml: str, expression: str, *, seconds: float = SECONDS) -> Json:
    """What the expression finds: a text, number or truth value, or the list of what it selects.

    Of attributes and texts the list has their text, of elements their XML. Raises `CancelError` for XML that
    is none, for expressions that are none, and for those that take too long or give too much.
    """
    if not expression.strip():
        raise CancelError("The field xpath is empty.")
    if len(expression) > MAX_EXPRESSION:
        raise CancelError(f"The field xpath has {len(expression)} characters; at most {MAX_EXPRESSION} are read.")
    parsing.read(xml, parsing.Silence())
    root, prefixes = _tree(xml.lstrip())
    try:
        with watching.limited(seconds, "The XPath expression"):
            found = _evaluated(root, prefixes, expression, len(xml))
    except ElementPathError as error:
        raise CancelError(f"The XPath expression cannot be evaluated: {error}.") from error
    except (RecursionError, OverflowError, ArithmeticError, ValueError) as error:
        raise CancelError(f"The XPath expression cannot be evaluated: {type(error).__name__}.") from error
    return _shown(found, Fragments(prefixes))


class _Tree(TreeBuilder):
    """Builds the tree and keeps the first meaning of every prefix in it."""

    def __init__(self) -> None:
        super().__init__(insert_comments=True, insert_pis=True)
        self.prefixes: dict[str, str] = {}

    def start_ns(self, prefix: str, uri: str) -> None:
        self.prefixes.setdefault(prefix, uri)


def _tree(xml: str) -> tuple[Element, dict[str, str]]:
    builder = _Tree()
    parser = XMLParser(target=builder, forbid_dtd=True)
    try:
        parser.feed(xml)
        return parser.close(), builder.prefixes
    except ParseError as error:
        raise CancelError(f"The field xml is not well-formed: {error}.") from error


def _evaluated(root: Element, prefixes: dict[str, str], expression: str, length: int) -> object:
    token = XPath1Parser(namespaces={prefix: uri for prefix, uri in prefixes.items() if prefix}).parse(expression)
    # Each argument may be the text of the whole document.
    if sum(len(each) for each in token.iter("concat")) * length > MAX_JOINED:
        raise CancelError(f"The XPath expression may join more than {MAX_JOINED} characters.")
    return token.get_results(XPathContext(ElementTree(root)))


def _shown(found: object, fragments: Fragments) -> Json:
    if isinstance(found, list):
        if len(found) > MAX_RESULTS:
            raise CancelError(f"The XPath expression selects {len(found)} nodes; at most {MAX_RESULTS} are sent.")
        return [_shown(each, fragments) for each in found]
    if isinstance(found, ElementTree):
        return _shown(found.getroot(), fragments)
    if isinstance(found, Element):
        return fragments.xml(found)
    if isinstance(found, tuple):  # a namespace: its prefix and what it stands for
        return str(found[1])
    if isinstance(found, bool) or found is None:
        return found
    return _number(found) if isinstance(found, (int, float, Decimal)) else str(found)


def _number(found: int | float | Decimal) -> Json:
    """Numbers are doubles in XPath 1.0. What JSON has no number for is written as XPath does."""
    number = float(found)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return int(number) if number.is_integer() and abs(number) <= MAX_EXACT else number
