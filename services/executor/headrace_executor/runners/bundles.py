"""Bundles, unpacked on disk under their content ids: fetched once, checked, read-only, and few enough to fit."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from headrace_core.archives import Limits, read_archive
from headrace_core.bundles import PACKAGES, content_id, read_object
from headrace_core.errors import BadRequest, TooLarge, Unavailable
from headrace_runtime import packages_archive

from headrace_executor.ports import BundleSource
from headrace_executor.runners.folders import remove_tree

MIB = 1024 * 1024
LIMITS = Limits(archive_bytes=64 * MIB, entry_bytes=64 * MIB, total_bytes=256 * MIB, entries=20_000, ratio=1_000)
"""A service is published in parts, so the whole may be more than what fits into one upload."""

FETCH_SECONDS = 120.0
MANIFESTS = frozenset({"component.json", "module.json", "service.json"})


class Bundles:
    """Finds the folder of a bundle. What is not there is fetched, by one asker for all who wait."""

    def __init__(self, folder: Path, source: BundleSource, limit_bytes: int) -> None:
        self._folder = folder
        self._source = source
        self._limit = limit_bytes
        self._fetching: dict[str, asyncio.Task[Path]] = {}

    async def folder(self, bundle_id: str, in_use: Collection[str] = ()) -> Path:
        """The unpacked bundle. To make room for a new one, old ones go that are not in use.

        Raises NotFound when nobody has it, BadRequest when what came is something else, TooLarge, Unavailable.
        """
        if len(bundle_id) != 64 or not bundle_id.isalnum():
            raise BadRequest(f"{bundle_id[:80]!r} is no content id of a bundle.")
        place = self._folder / bundle_id
        if place.is_dir():
            os.utime(place)
            return place
        task = self._fetching.get(bundle_id)
        if task is None:
            task = asyncio.create_task(self._fetch(bundle_id, place, frozenset(in_use)))
            self._fetching[bundle_id] = task
            task.add_done_callback(lambda _: self._fetching.pop(bundle_id, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what is being fetched."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, bundle_id: str, place: Path, in_use: frozenset[str]) -> Path:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                archive = await self._download(bundle_id, LIMITS.archive_bytes)
                files = await asyncio.to_thread(_read, bundle_id, archive)
                packages_id = packages_of(files)
                packages = await self._download(packages_id, packages_archive.MAX_ARCHIVE_BYTES) if packages_id else b""
        except TimeoutError:
            raise Unavailable(f"The bundle {bundle_id} did not arrive within {FETCH_SECONDS:g} s.") from None
        if packages and hashlib.sha256(packages).hexdigest() != packages_id:
            raise BadRequest(f"What came as packages of the bundle {bundle_id} is something else. It is not used.")
        await asyncio.to_thread(self._unpack, files, packages, place)
        await asyncio.to_thread(self._make_room, in_use | {bundle_id})
        return place

    async def _download(self, content: str, limit_bytes: int) -> bytes:
        archive = bytearray()
        async for chunk in self._source.read(content):
            archive += chunk
            if len(archive) > limit_bytes:
                raise TooLarge(f"The bundle {content} has more than {limit_bytes:,} bytes.")
        return bytes(archive)

    def _unpack(self, files: Mapping[str, bytes], packages: bytes, place: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".new-") as work:
            unpacked = Path(work, "unpacked")
            _write(files, unpacked)
            if packages:
                packages_archive.unpack(packages, unpacked)
            _publish(unpacked, place)

    def _make_room(self, kept: frozenset[str]) -> None:
        """Remove bundles, the longest unused first, until the rest fits."""
        found = [each for each in self._folder.iterdir() if each.is_dir() and not each.name.startswith(".")]
        sizes = {each: _size(each) for each in found}
        total = sum(sizes.values())
        for each in sorted(found, key=lambda folder: folder.stat().st_mtime):
            if total <= self._limit:
                return
            if each.name not in kept:
                total -= sizes[each]
                remove_tree(each)


def packages_of(files: Mapping[str, bytes]) -> str:
    """The content of npm packages that goes with a bundle; "" where none does. Raises BadRequest."""
    for path, content in files.items():
        if path.endswith(f"/{PACKAGES}"):
            try:
                return str(read_object(content)["content"])
            except (ValueError, KeyError):
                raise BadRequest(f"{path} does not name a content of packages.") from None
    return ""


def hosts_of(bundle: Path) -> tuple[str, ...]:
    """The hosts that manifests of an unpacked bundle declare; none where no manifest does."""
    found: set[str] = set()
    for folder, folders, files in os.walk(bundle):
        folders[:] = [each for each in folders if each != "node_modules"]
        for name in MANIFESTS.intersection(files):
            with contextlib.suppress(ValueError):  # whoever took the bundle in judged its manifests
                declared = read_object(Path(folder, name).read_bytes()).get("hosts")
                found.update(map(str, declared if isinstance(declared, list) else ()))
    return tuple(sorted(found))


def _read(bundle_id: str, archive: bytes) -> Mapping[str, bytes]:
    files = read_archive(archive, LIMITS)
    found = content_id(files)
    if found != bundle_id:
        raise BadRequest(f"What came for the bundle {bundle_id} is another one: {found}. It is not used.")
    return files


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir()
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o444)


def _publish(unpacked: Path, place: Path) -> None:
    for folder, _, _ in os.walk(unpacked):
        if Path(folder) != unpacked:
            Path(folder).chmod(0o555)
    try:
        unpacked.rename(place)
    except OSError:
        if not place.is_dir():  # else somebody else was as quick
            raise
        return
    place.chmod(0o555)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
