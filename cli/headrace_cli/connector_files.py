"""A connector's folder: what of it is published, under which paths, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace_core import bundle_rules
from headrace_core.archives import write_archive
from headrace_core.errors import HeadraceError

from headrace_cli.failures import Failure, Status

MANIFESTS = ("component.json", "module.json", "service.json")
NOT_PUBLISHED = frozenset({"node_modules", "__pycache__", "fixtures", "artifacts"})
_SUFFIXES = frozenset({".pyc", ".zip"})


@dataclass(frozen=True, slots=True)
class Part:
    """A component, module or service on this disk. `root` is the folder that its vendor's lies in."""

    name: str
    folder: Path
    root: Path

    @property
    def is_component(self) -> bool:
        return (self.folder / MANIFESTS[0]).exists()


def find(folder: Path) -> Part:
    """What lies in a folder, by its manifest. Raises Failure."""
    place = folder.resolve()
    manifest = next((place / name for name in MANIFESTS if (place / name).exists()), None)
    if manifest is None:
        said = f"{folder} has no {', '.join(MANIFESTS[:2])} or {MANIFESTS[2]}."
        raise Failure(Status.NOT_FOUND, said, "Give the folder of a component, module or service.")
    try:
        name = str(json.loads(manifest.read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(Status.FAILED, f"{manifest} says no name: {error!r}", "Write its `name`.") from None
    parts = tuple(name.split("."))
    if len(parts) < 2 or place.parts[-len(parts) :] != parts:
        said = f"{manifest} is called {name!r}, and lies in {place}."
        raise Failure(Status.FAILED, said, f"Put it into {'/'.join(parts)}.")
    return Part(name, place, place.parents[len(parts) - 1])


def files_of(part: Part) -> dict[str, bytes]:
    """What is published, by path: the folder, and what lies beside its service and module. Raises Failure."""
    found = {path: path.relative_to(part.root).as_posix() for path in _published(part)}
    try:
        return {name: path.read_bytes() for path, name in sorted(found.items())}
    except OSError as error:
        raise Failure(Status.FAILED, f"A file cannot be read: {error}", "Check it.") from None


def pack(files: dict[str, bytes]) -> bytes:
    """The archive; the same files make the same bytes. Raises Failure."""
    try:
        return write_archive(files)
    except HeadraceError as error:
        raise Failure(Status.FAILED, f"This cannot be packed: {error}", "Mend it.") from None


def check(files: dict[str, bytes]) -> None:
    """Raises Failure with everything that a host would refuse in the files."""
    found = bundle_rules.findings(files, files, lambda name: False)
    if found:
        lines = tuple(f"{each.file}{each.data_path}: {each.message} {each.fix}".rstrip() for each in found)
        raise Failure(Status.FAILED, f"{len(found)} things are wrong:", "", lines)


def _published(part: Part) -> Iterator[Path]:
    for above in part.folder.parents:
        if above == part.root or part.root not in above.parents or above.parent == part.root:
            break
        yield from (each for each in above.iterdir() if each.is_file() and _is_published(each))
    for each in part.folder.rglob("*"):
        inside = each.relative_to(part.folder).parts
        if each.is_file() and not NOT_PUBLISHED & set(inside) and _is_published(each):
            yield each


def _is_published(file: Path) -> bool:
    hidden = any(each.startswith(".") for each in file.parts[-2:])
    return not hidden and file.suffix not in _SUFFIXES and file.name != "package-lock.json"
