"""Runs a component here, without a platform: what it is given, and what it sent."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace_cli.connector_files import Part
from headrace_cli.failures import Failure, Status

PATIENCE_SECONDS = 300

Told = Mapping[str, Any]
"""A fixture: `port`, `content`, `properties`, `state`; `expect` is what is to be sent, `error` what is to be said."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One call, what came of it, and whether that is what was expected; None where nothing was."""

    name: str
    sent: list[dict[str, Any]]
    error: str = ""
    is_expected: bool | None = None

    @property
    def has_failed(self) -> bool:
        return self.is_expected is False or (self.is_expected is None and bool(self.error))

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.name, "sent": self.sent, "passed": not self.has_failed}
        return told | ({"error": self.error} if self.error else {})


def try_all(part: Part, calls: Sequence[tuple[str, Told]]) -> list[Trial]:
    """Call a component once for each of these, in the language that it is written in. Raises Failure."""
    if (part.folder / "component.py").exists():
        component = _component_of(part)
        outcomes = [_in_python(component, told) for _, told in calls]
    elif (part.folder / f"{part.folder.name}.js").exists():
        outcomes = _in_node(part, [told for _, told in calls])
    else:
        said = f"{part.name} has neither a component.py nor a {part.folder.name}.js."
        raise Failure(Status.FAILED, said, "Write one of them.")
    return [_judged(name, told, *outcome) for (name, told), outcome in zip(calls, outcomes, strict=True)]


def _judged(name: str, told: Told, sent: list[dict[str, Any]], error: str) -> Trial:
    expected, wanted = told.get("expect"), told.get("error")
    if error:
        is_expected = None if wanted is None and expected is None else str(wanted or "\0") in error
        return Trial(name, [], error, is_expected)
    return Trial(name, sent, is_expected=None if expected is None and "error" not in told else sent == expected)


def _in_node(part: Part, calls: Sequence[Told]) -> list[tuple[list[dict[str, Any]], str]]:
    """What left the component in each call, and what it failed with."""
    runner = importlib.util.find_spec("headrace_node_runner")
    node = os.environ.get("HEADRACE_NODE") or shutil.which("node")
    if runner is None or runner.origin is None or node is None:
        said = f"{part.name} is written in JavaScript, and there is no Node.js on the path."
        raise Failure(Status.FAILED, said, "Install Node.js 20 or newer, or name its binary in HEADRACE_NODE.")
    root = part.folder.relative_to(part.root).as_posix()
    names = ("port", "content", "properties", "state")
    given = [{name: told[name] for name in names if told.get(name) is not None} for told in calls]
    orders = json.dumps({"folder": str(part.root), "root": root, "calls": given})
    try:
        done = subprocess.run(
            [node, str(Path(runner.origin).parent / "trial.js")],
            input=orders.encode(),
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        results = json.loads(done.stdout)["results"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        raise Failure(Status.FAILED, f"{part.name} cannot be run: {error}", "Mend it, or install Node.js 20.") from None
    return [(each["outputs"], str(each["error"] or "")) for each in results]


def _component_of(part: Part) -> Any:
    """The component's class, loaded as it lies on this disk. Raises Failure."""
    from headrace_sdk import Component

    sys.path.insert(0, str(part.root))
    sys.dont_write_bytecode = True
    try:
        module = importlib.import_module(f"{part.name}.component")
    except Exception as error:  # the author's own code
        raise Failure(Status.FAILED, f"component.py cannot be loaded: {error!r}", "Mend it.") from None
    own = [each for each in vars(module).values() if _is_own(each, Component, module.__name__)]
    if len(own) != 1:
        raise Failure(Status.FAILED, f"component.py defines {len(own)} components.", "Define one class.")
    return own[0]


def _in_python(component: Any, told: Told) -> tuple[list[dict[str, Any]], str]:
    """What left the component, and what it failed with."""
    from headrace_sdk.testing import run_component

    try:
        outcome = asyncio.run(
            run_component(
                component,
                port=str(told.get("port", "in")),
                content=told.get("content"),
                properties=told.get("properties"),
                state=told.get("state"),
            )
        )
    except Exception as error:  # what the component raises
        return [], f"{type(error).__name__}: {error}"
    return [{"port": port, "content": content} for port, content in outcome.outputs], ""


def fixtures(part: Part) -> list[Path]:
    """The fixtures that lie beside a component, by name."""
    return sorted((part.folder / "fixtures").glob("*.json"))


def _is_own(value: object, kind: type, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, kind) and value.__module__ == module
