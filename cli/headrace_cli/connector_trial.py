"""Runs a component written in Python here, without a platform: what it is given, and what it sent."""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace_cli.connector_files import Part
from headrace_cli.failures import Failure, Status


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


def component_of(part: Part) -> Any:
    """The component's class, loaded as it lies on this disk. Raises Failure."""
    from headrace_sdk import Component

    if not (part.folder / "component.py").exists():
        said = f"{part.name} is not written in Python, and only Python is run here."
        fix = f"Publish it and try it in a flow, or use Appmixer's command line: appmixer test component {part.folder}"
        raise Failure(Status.FAILED, said, fix)
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


def try_once(component: Any, name: str, told: dict[str, Any]) -> Trial:
    """Call a component with what a fixture says: `port`, `content`, `properties`, `state`, and what is to be sent."""
    from headrace_sdk.testing import run_component

    expected = told.get("expect")
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
        said = f"{type(error).__name__}: {error}"
        wanted = told.get("error")
        return Trial(name, [], said, None if wanted is None and expected is None else str(wanted or "\0") in said)
    sent = [{"port": port, "content": content} for port, content in outcome.outputs]
    return Trial(name, sent, is_expected=None if expected is None and "error" not in told else sent == expected)


def fixtures(part: Part) -> list[Path]:
    """The fixtures that lie beside a component, by name."""
    return sorted((part.folder / "fixtures").glob("*.json"))


def _is_own(value: object, kind: type, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, kind) and value.__module__ == module
