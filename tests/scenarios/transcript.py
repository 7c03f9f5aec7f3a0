"""Reads transcripts: commands, each with what it must print, and flows in a short form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

RULE = "----"
NODE = re.compile(r"(?P<id>\w+) = (?P<type>[\w.]+)(?: (?P<properties>{.*?}))?(?: on errors (?P<errors>{.*}))?")
LINK = re.compile(r"(?P<id>\w+)\.(?P<port>\w+) <- (?P<sources>[\w., ]+?)(?: : (?P<input>.*))?")

Flow = dict[str, Any]


@dataclass(slots=True)
class Entry:
    """A command, the lines that belong to it, and what it must print."""

    comments: list[str] = field(default_factory=list)
    command: str = ""
    block: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def written(self, printed: list[str]) -> str:
        rule = [RULE, *printed] if printed else []
        return "\n".join([*self.comments, self.command, *self.block, *rule])


def read(text: str) -> Iterator[Entry]:
    """The entries of a transcript. Blank lines part them; comments belong to what follows."""
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        entry = Entry()
        lines = part.split("\n")
        while lines and lines[0].startswith("#"):
            entry.comments.append(lines.pop(0))
        if lines:
            entry.command = lines.pop(0)
        if RULE in lines:
            entry.expected = lines[lines.index(RULE) + 1 :]
            lines = lines[: lines.index(RULE)]
        entry.block = lines
        yield entry


def descriptor(block: list[str]) -> Flow:
    """The flow that a block of nodes and links stands for, in the full format."""
    flow: Flow = {}
    for line in map(str.strip, block):
        if link := LINK.fullmatch(line):
            _connect(flow[link["id"]], link["port"], link["sources"].split(","), link["input"])
        elif node := NODE.fullmatch(line):
            flow[node["id"]] = _node(node)
        else:
            raise AssertionError(f"This is neither a node nor a link: {line}")
    return flow


def _node(found: re.Match[str]) -> Flow:
    kind = found["type"] if found["type"].count(".") == 3 else f"appmixer.utils.{found['type']}"
    node: Flow = {"type": kind, "x": 0, "y": 0, "source": {}, "config": {}}
    if found["properties"]:
        node["config"]["properties"] = json.loads(found["properties"])
    if found["errors"]:
        node["errorHandling"] = json.loads(found["errors"])
    return node


def _connect(node: Flow, port: str, sources: list[str], given: str | None) -> None:
    for source in sources:
        name, _, out_port = source.strip().partition(".")
        node["source"].setdefault(port, {}).setdefault(name, []).append(out_port)
        if given is not None:
            transforms = node["config"].setdefault("transform", {}).setdefault(port, {}).setdefault(name, {})
            transforms[out_port] = _transform(json.loads(given), node["type"].endswith(".SetVariable"))


def _transform(given: Any, names_variables: bool) -> Flow:
    if names_variables:
        given = {"variables": {"ADD": [{"type": "text", "name": name, "text": text} for name, text in given.items()]}}
    modifiers: dict[str, Any] = {}
    values = {name: _with_variables(value, modifiers.setdefault(name, {})) for name, value in given.items()}
    return {"type": "json2new", "modifiers": modifiers, "lambda": values}


def _with_variables(value: Any, modifiers: dict[str, Any]) -> Any:
    """Texts that begin with `$.` become variables."""
    match value:
        case dict():
            return {name: _with_variables(inner, modifiers) for name, inner in value.items()}
        case list():
            return [_with_variables(inner, modifiers) for inner in value]
        case str() if value.startswith("$."):
            name = f"v{len(modifiers)}"
            modifiers[name] = {"variable": value, "functions": []}
            return f"{{{{{{{name}}}}}}}"
        case _:
            return value
