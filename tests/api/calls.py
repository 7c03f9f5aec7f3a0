"""Which tests call which endpoint, read from their source: nothing is declared, so nothing is declared wrongly.

A call is seen where a client's method is named and given a path (`client.post(f"/flows/{flow}/clone")`), and where
a method and a path stand next to each other (`("DELETE", "/flows/f1")`). Names that stand for one text are followed,
and so is a parameter of a test for each text that the test is run with.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

from headrace_core import errors
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import RouteTable
from headrace_gateway.webhooks import METHODS as WEBHOOK_METHODS
from headrace_gateway.webhooks import Webhooks

from .map import place

TESTS = Path(__file__).parents[1]
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
WEBHOOK = "/flows/{flowId}/components/{componentId}"
# Stands for a part of a path that is known only when the test runs.
_SOMETHING = "something"
_ROWS = (ast.List, ast.Tuple)


@dataclass(frozen=True, slots=True)
class Seen:
    """A call of a method at a path, in a function of a file."""

    test: str
    method: str
    path: str


def served() -> set[tuple[str, str]]:
    """Every place that answers: the route table, and the webhooks beside it."""
    webhooks = {place(method, WEBHOOK) for method in WEBHOOK_METHODS if method != "HEAD"}
    return {place(route.method, route.path) for route in ROUTES} | webhooks


def tests_by_place(files: Iterable[Path] | None = None) -> Mapping[tuple[str, str], list[str]]:
    """The tests that call each place, those over the whole platform first."""
    table = RouteTable(ROUTES)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in sorted(files or TESTS.rglob("test_*.py"), key=_nearness):
        for seen in calls_in(file.read_text(), file.relative_to(TESTS.parent).as_posix()):
            called = _place_of(table, seen)
            if called is not None and seen.test not in found[called]:
                found[called].append(seen.test)
    return found


def calls_in(source: str, file: str) -> Iterator[Seen]:
    """Every call of the API in a test's source."""
    module = ast.parse(source)
    texts = _texts(module.body, {})
    lists = _lists(module.body)
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for given in _parameters(node, lists):
                around = {**texts, **given}
                for method, path in _calls(node, {**around, **_texts(ast.walk(node), around)}):
                    yield Seen(f"{file}::{node.name}", method, path)
        else:
            for method, path in _calls(node, texts):
                yield Seen(file, method, path)


def _nearness(file: Path) -> tuple[bool, bool, str]:
    folder = file.relative_to(TESTS).parts[0]
    return folder != "api", folder != "system", file.as_posix()


def _place_of(table: RouteTable, seen: Seen) -> tuple[str, str] | None:
    raw_path = seen.path.partition("?")[0].encode("ascii", "replace")
    if Webhooks.match(raw_path):
        return place(seen.method, WEBHOOK)
    try:
        route = table.match(seen.method, raw_path).route
    except errors.HeadraceError:
        return None
    return place(route.method, route.path)


def _calls(node: ast.AST, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            verb = each.func.attr.upper() if isinstance(each.func, ast.Attribute) else ""
            if verb in METHODS and each.args:
                yield from _call(verb, each.args[0], known)
            yield from _neighbours(each.args, known)
        elif isinstance(each, ast.Tuple):
            yield from _neighbours(each.elts, known)


def _neighbours(nodes: Sequence[ast.expr], known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for first, second in pairwise(nodes):
        if isinstance(first, ast.Constant) and first.value in METHODS:
            yield from _call(str(first.value), second, known)


def _call(method: str, node: ast.expr, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    path = _text(node, known)
    if path.startswith("/"):
        yield method, path


def _texts(nodes: Iterable[ast.AST], known: Mapping[str, str]) -> dict[str, str]:
    """The names that stand for one text, of what was assigned in `nodes`."""
    texts: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = _text(node.value, {**known, **texts})
            if text.startswith("/"):
                texts[node.targets[0].id] = text
    return texts


def _lists(nodes: Iterable[ast.AST]) -> dict[str, list[str]]:
    """The names that stand for texts one after the other."""
    assigned = [node for node in nodes if isinstance(node, ast.Assign)]
    return {
        node.targets[0].id: texts
        for node in assigned
        if isinstance(node.targets[0], ast.Name) and (texts := _listed(node.value, {}))
    }


def _listed(node: ast.expr, lists: Mapping[str, list[str]]) -> list[str]:
    if isinstance(node, ast.Name):
        return lists.get(node.id, [])
    texts = [each.value for each in node.elts if isinstance(each, ast.Constant)] if isinstance(node, _ROWS) else []
    return [text for text in texts if isinstance(text, str) and text.startswith("/")]


def _parameters(
    node: ast.FunctionDef | ast.AsyncFunctionDef, lists: Mapping[str, list[str]]
) -> Iterator[dict[str, str]]:
    """What the parameters of a test stand for, once for each of its runs; one run where it has none that are paths."""
    found: dict[str, list[str]] = {}
    for each in node.decorator_list:
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "parametrize":
            name, values = each.args[:2]
            if isinstance(name, ast.Constant) and (texts := _listed(values, lists)):
                found[str(name.value)] = texts
    for chosen in product(*found.values()):
        yield dict(zip(found, chosen, strict=True))


def _text(node: ast.expr, known: Mapping[str, str]) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return known.get(name, _SOMETHING)
        case ast.FormattedValue(value=value):
            return _text(value, known)
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, known) for part in parts).removeprefix(_SOMETHING)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, known) + _text(right, known)
    return _SOMETHING
