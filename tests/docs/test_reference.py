"""The reference is made from the code, so it names all there is, each with a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from headrace_connectors import load_builtin
from headrace_core import errors
from headrace_core.expressions.modifiers import default_modifiers
from headrace_gateway.routes import ROUTES

from docs.generate import pages, served_metrics

COMPONENTS = [each.type for each in load_builtin()]
ROOT = Path(__file__).parents[2]
CODE = [file for room in ("libs", "services", "embedded") for file in (ROOT / room).rglob("*.py")]
VARIABLES = {name for file in CODE for name in re.findall(r'env="(HEADRACE_\w+)"', file.read_text())}
KINDS_OF_NUMBERS = "total|seconds|runs|streams|waiting"
METRICS = {name for file in CODE for name in re.findall(rf'"(headrace_\w+_(?:{KINDS_OF_NUMBERS}))"', file.read_text())}
SOURCES = [path.read_text() for path in (ROOT / "ui/sdk").glob("*/*.ts")]
VARIABLES -= {"HEADRACE_KEY"}  # the example in the docstring of headrace_runtime.settings


@pytest.fixture
async def written() -> dict[str, str]:
    return pages(await served_metrics())


async def test_the_reference_names_all_there_is(written: dict[str, str]) -> None:
    modifiers = default_modifiers()["modifiers"]
    assert isinstance(modifiers, dict)

    assert [name for name in COMPONENTS if f"## {name}\n" not in written["components.md"]] == []
    assert [name for name in modifiers if f"`{name}`" not in written["modifiers.md"]] == []
    assert [name for name in VARIABLES if f"`{name}`" not in written["settings.md"]] == []
    assert [each.code for each in errors.ALL if f"`{each.code}`" not in written["errors.md"]] == []
    routes = [f"### `{route.method} {route.path}`\n" for route in ROUTES]
    assert [route for route in routes if route not in written["rest-api.md"]] == []
    listed = re.findall(r"^  (\w+): \{ name:", (ROOT / "ui/sdk/widgets.ts").read_text(), re.MULTILINE)
    assert [name for name in listed if f"## {name}\n" not in written["widgets.md"]] == []
    sections = [part for part in written["widgets.md"].split("\n## ")[1:] if "Options:" not in part]
    assert sections == [], "a widget whose options were not found says too little"
    told = {name for text in SOURCES for name in re.findall(r"^  '?([\w:-]+)'?: (?:Act|Told)\b", text, re.MULTILINE)}
    assert [name for name in told if f"| `{name}` |" not in written["widgets.md"]] == []
    assert "| `flow:clone` | `flowId: string; flow: FlowRecord` | `cloneId: string` |" in written["widgets.md"]
    assert "| `POST /user/auth` | pass |" in written["compatibility.md"]
    assert "| `appmixer login` | pass |" in written["cli-compatibility.md"]
    assert "headrace_mongo_commands_total" in METRICS
    assert [name for name in METRICS if f"`{name}`" not in written["metrics.md"]] == []


async def test_every_row_of_the_reference_says_something(written: dict[str, str]) -> None:
    for name in ("settings.md", "modifiers.md", "errors.md", "metrics.md"):
        rows = re.findall(r"^\| `.*\|$", written[name], re.MULTILINE)
        assert rows
        assert [row for row in rows if re.search(r"\|\s+\|$", row)] == []
