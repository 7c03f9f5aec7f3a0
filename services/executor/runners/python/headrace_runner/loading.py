"""Components of an unpacked bundle, loaded by their folders under names of their own.

The bundle is the package `headrace_bundle`: `acme/mail/core/Send/component.py` is
`headrace_bundle.acme.mail.core.Send.component`, so modules of the bundle reach each other by relative imports. Nothing
is put on the path of the process and nothing is written into the folder.
"""

from __future__ import annotations

import importlib
import posixpath
import sys
from collections.abc import Awaitable, Callable
from importlib.machinery import ModuleSpec
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import cast

from headrace_core import Json
from headrace_core.errors import BadRequest
from headrace_sdk import Component

PACKAGE = "headrace_bundle"


class Bundle:
    """The components of a folder, each made once."""

    def __init__(self, folder: Path) -> None:
        self._components: dict[str, Component] = {}
        self.folder = folder.resolve()
        sys.dont_write_bytecode = True
        package = ModuleType(PACKAGE)
        package.__path__ = [str(self.folder)]
        package.__spec__ = ModuleSpec(PACKAGE, None, is_package=True)
        sys.modules[PACKAGE] = package

    def component(self, root: str) -> Component:
        """The component in the folder `root` of the bundle. Raises what its module raises, or BadRequest."""
        if root not in self._components:
            self._components[root] = _own_class(self.module(root, "component"), root)()
        return self._components[root]

    def transform(self, root: str, name: str) -> Callable[[Json], Json | Awaitable[Json]]:
        """A transform of a component: one of its own by name, or a function of a module beside it as `./file#name`.

        Raises what the module raises, or BadRequest where there is none.
        """
        file, _, wanted = name.rpartition("#")
        own = PurePosixPath(root).name
        if PurePosixPath(file).name.removesuffix(".py") in ("", "component", own):
            component = self.component(root)
            found = component.transforms.get(wanted) or getattr(sys.modules[type(component).__module__], wanted, None)
        else:
            found = getattr(self._beside(root, file), wanted, None)
        if not wanted or wanted.startswith("_") or not callable(found) or isinstance(found, type):
            raise BadRequest(f"{root} has no transform {name[:200]!r}.")
        return cast("Callable[[Json], Json | Awaitable[Json]]", found)

    def has(self, folder: str, name: str) -> bool:
        """Whether the folder has a module of this name."""
        parts = PurePosixPath(folder).parts
        return all(_is_name(part) for part in parts) and self.folder.joinpath(*parts, f"{name}.py").is_file()

    def module(self, folder: str, name: str) -> ModuleType:
        """A module of a folder of the bundle. Raises what it raises, or BadRequest."""
        parts = PurePosixPath(folder).parts
        if not parts or not self.has(folder, name):
            raise BadRequest(f"There is no {folder}/{name}.py in the bundle.")
        return importlib.import_module(".".join((PACKAGE, *parts, name)))

    def source(self, folder: str, name: str) -> str:
        """The text of a module that `has` found."""
        return self.folder.joinpath(*PurePosixPath(folder).parts, f"{name}.py").read_text(encoding="utf-8-sig")

    def _beside(self, root: str, named: str) -> ModuleType:
        """The module that a path names from the folder of a component, within the bundle."""
        parts = posixpath.normpath(posixpath.join(root, named.removesuffix(".py").removesuffix(".js"))).split("/")
        if not all(_is_name(part) for part in parts) or not self.folder.joinpath(*parts).with_suffix(".py").is_file():
            raise BadRequest(f"There is no {'/'.join(parts)[:200]}.py in the bundle.")
        return importlib.import_module(".".join((PACKAGE, *parts)))


def _own_class(module: ModuleType, root: str) -> type[Component]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Component) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise BadRequest(f"{root}/component.py defines {len(own)} components instead of one.")
    return own[0]


def _is_name(part: str) -> bool:
    return part not in ("", "..", ".") and "." not in part and "/" not in part
