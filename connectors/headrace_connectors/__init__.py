"""The connectors that come with Headrace, and the one pass that finds them.

A component is a folder `<service>/<module>/<Component>` with `component.json` and `component.py`. Beside the
folders, `service.json` and `module.json` describe what the designer lists, `bundle.json` what is versioned.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import ModuleType
from typing import TypeAlias

from headrace_core import Json
from headrace_core.errors import Internal
from headrace_sdk import Component, JsonObject

VENDOR = "headrace"
_COMPONENT_DEPTH = 3

Place: TypeAlias = tuple[tuple[str, ...], Traversable]
"""A folder: its path below this package, and where to read it."""


ComponentClass: TypeAlias = type[Component]


@dataclass(frozen=True, slots=True)
class BuiltinComponent:
    """A component that needs no installation."""

    type: str
    manifest: JsonObject
    component: ComponentClass


def load_builtin() -> list[BuiltinComponent]:
    """Every built-in component, by type. Called again, it gives the same classes in a new list.

    Raises `Internal` when a manifest does not fit its folder, or a folder holds no single component.
    """
    found = [_load(path, folder) for path, folder in _folders() if _has(folder, "component.json")]
    return sorted(found, key=lambda each: each.type)


def load_apps() -> dict[str, JsonObject]:
    """What the designer lists, services and modules, by name. Raises `Internal` as `load_builtin` does."""
    return _described(("service.json", "module.json"))


def load_bundles() -> dict[str, JsonObject]:
    """What is versioned as one, by name. Raises `Internal` as `load_builtin` does."""
    return _described(("bundle.json",))


def load_auths() -> dict[str, tuple[str, Mapping[str, object]]]:
    """How accounts of built-in services are opened: type and definition of each `auth.py`, by its service's path."""
    found: dict[str, tuple[str, Mapping[str, object]]] = {}
    for path, folder in _folders():
        if _has(folder, "auth.py"):
            module = importlib.import_module(".".join((__name__, *path, "auth")))
            found["/".join((VENDOR, *path))] = (str(module.type), module.definition)
    return found


def _load(path: tuple[str, ...], folder: Traversable) -> BuiltinComponent:
    if len(path) != _COMPONENT_DEPTH:
        raise _refused(path, "a component lies in <service>/<module>/<Component>")
    manifest = _named_as_its_folder(path, folder, "component.json")
    module = importlib.import_module(".".join((__name__, *path, "component")))
    return BuiltinComponent(str(manifest["name"]), manifest, _component_of(path, module))


def _component_of(path: tuple[str, ...], module: ModuleType) -> ComponentClass:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Component) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise _refused(path, f"component.py defines {len(own)} components instead of one")
    return own[0]


def _described(names: tuple[str, ...]) -> dict[str, JsonObject]:
    found: dict[str, JsonObject] = {}
    for path, folder in _folders():
        for name in names:
            if not _has(folder, name):
                continue
            value = _named_as_its_folder(path, folder, name)
            if found.setdefault(str(value["name"]), value) is not value:
                raise _refused(path, f"{value['name']!r} is described twice")
    return dict(sorted(found.items()))


def _named_as_its_folder(path: tuple[str, ...], folder: Traversable, filename: str) -> JsonObject:
    try:
        value: Json = json.loads((folder / filename).read_bytes())
    except ValueError as error:
        raise _refused(path, f"{filename} is not JSON: {error}") from error
    expected = ".".join((VENDOR, *path))
    if not isinstance(value, dict) or value.get("name") != expected:
        name = value.get("name") if isinstance(value, dict) else None
        raise _refused(path, f"{filename} must have the name {expected!r} and has {name!r}")
    return value


@cache
def _folders() -> tuple[Place, ...]:
    return tuple(_walk((), files(__name__)))


def _walk(path: tuple[str, ...], folder: Traversable) -> Iterator[Place]:
    for each in folder.iterdir():
        if each.name.startswith(("_", ".")) or not each.is_dir():
            continue
        below = (*path, each.name)
        yield below, each
        if len(below) < _COMPONENT_DEPTH:
            yield from _walk(below, each)


def _has(folder: Traversable, filename: str) -> bool:
    return (folder / filename).is_file()


def _refused(path: tuple[str, ...], reason: str) -> Internal:
    return Internal(f"The connector folder {'/'.join(path)} cannot be loaded: {reason}.")
