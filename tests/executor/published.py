"""Bundles of published components as a test writes them, and who hands them out."""

from __future__ import annotations

import importlib.util
import json
import textwrap
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from headrace_core.archives import write_archive
from headrace_core.bundles import content_id
from headrace_core.errors import NotFound
from headrace_core.ids import new_id
from headrace_executor.ports import PublishedComponent
from headrace_sdk import Component

PIECE = 64 * 1024


class Shelf:
    """Keeps bundles, as the flow manager does."""

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}
        self.reads: list[str] = []

    def put(self, files: Mapping[str, str | bytes]) -> str:
        """Keep a bundle; returns its content id."""
        contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        bundle_id = content_id(contents)
        self.archives[bundle_id] = write_archive(contents)
        return bundle_id

    def publish(self, code: str, name: str = "Own", **manifest: Any) -> PublishedComponent:
        """Keep a bundle with one component `acme.own.core.<name>`, whose component.py this is."""
        root = f"acme/own/core/{name}"
        component_type = root.replace("/", ".")
        bundle_id = self.put({f"{root}/component.py": textwrap.dedent(code)})
        described = {
            "name": component_type,
            "inPorts": [{"name": "in"}],
            "outPorts": [{"name": "out"}],
            **manifest,
        }
        return PublishedComponent(component_type, described, bundle_id, root, "python")

    def publish_javascript(
        self, code: str, name: str = "Own", files: Mapping[str, str] | None = None, **manifest: Any
    ) -> PublishedComponent:
        """The same for a component whose <name>.js this is, with files beside it by their paths in the bundle."""
        root = f"acme/own/core/{name}"
        component_type = root.replace("/", ".")
        described = {"name": component_type, "inPorts": [{"name": "in"}], "outPorts": [{"name": "out"}], **manifest}
        kept = {f"{root}/{name}.js": textwrap.dedent(code), f"{root}/component.json": json.dumps(described)}
        return PublishedComponent(component_type, described, self.put({**kept, **(files or {})}), root, "javascript")

    async def read(self, bundle_id: str) -> AsyncIterator[bytes]:
        self.reads.append(bundle_id)
        archive = self.archives.get(bundle_id)
        if archive is None:
            raise NotFound("bundle", bundle_id)
        for start in range(0, len(archive), PIECE):
            yield archive[start : start + PIECE]


def component_of(folder: Path, code: str) -> type[Component]:
    """The one component of this code, loaded into the test's own process."""
    file = folder / "built_in.py"
    file.write_text(textwrap.dedent(code))
    spec = importlib.util.spec_from_file_location(f"built_in_{new_id().replace('-', '')}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Component] = module.Own
    return found
