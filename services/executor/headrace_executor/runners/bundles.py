"""Bundles, unpacked on disk under their content ids: fetched once, checked, read-only, and few enough to fit."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from headrace_core.errors import BadRequest, TooLarge, Unavailable

from headrace_executor.ports import BundleSource

MAX_FILES = 10_000
MAX_ARCHIVE_BYTES = 256 * 1024 * 1024
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
CHUNK = 1024 * 1024
FETCH_SECONDS = 120.0

Member = tuple[str, str, int]
"""Path, hex SHA-256 and size of a file."""


def content_id(members: Iterable[Member]) -> str:
    """The id of a bundle with these files; the contract is in `catalog_service.proto`."""
    lines = sorted((path.encode(), f"{digest} {size} {path}\n") for path, digest, size in members)
    return hashlib.sha256("".join(line for _, line in lines).encode()).hexdigest()


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
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".fetch-") as work:
            archive, unpacked = Path(work, "bundle.zip"), Path(work, "unpacked")
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    await self._download(bundle_id, archive)
            except TimeoutError:
                raise Unavailable(f"The bundle {bundle_id} did not arrive within {FETCH_SECONDS:g} s.") from None
            found = await asyncio.to_thread(unpack, archive, unpacked)
            if found != bundle_id:
                raise BadRequest(f"What came for the bundle {bundle_id} is another one: {found}. It is not used.")
            await asyncio.to_thread(_publish, unpacked, place)
        await asyncio.to_thread(self._make_room, in_use | {bundle_id})
        return place

    async def _download(self, bundle_id: str, archive: Path) -> None:
        size = 0
        with archive.open("xb") as file:
            async for chunk in self._source.read(bundle_id):
                size += len(chunk)
                if size > MAX_ARCHIVE_BYTES:
                    raise TooLarge(f"The bundle {bundle_id} has more than {MAX_ARCHIVE_BYTES:,} bytes.")
                file.write(chunk)

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
                _remove(each)


def unpack(archive: Path, folder: Path) -> str:
    """Unpack a zip archive into a new folder, read-only, and return its content id.

    Raises BadRequest for an archive that is none or reaches out of its folder, TooLarge for one that grows too big.
    """
    members: list[Member] = []
    left = MAX_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [each for each in opened.infolist() if not each.is_dir()]
            if len(entries) > MAX_FILES:
                raise TooLarge(f"The bundle has more than {MAX_FILES:,} files.")
            for entry in entries:
                path = _checked(entry)
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                digest, size = _copy(opened, entry, target, left)
                left -= size
                members.append((path, digest, size))
    except (zipfile.BadZipFile, FileExistsError, NotADirectoryError, NotImplementedError, EOFError) as error:
        raise BadRequest(f"The bundle cannot be unpacked: {error}.") from None
    return content_id(members)


def _checked(entry: zipfile.ZipInfo) -> str:
    path = PurePosixPath(entry.filename)
    mode = entry.external_attr >> 16
    is_odd = "\\" in entry.filename or "\0" in entry.filename or str(path) != entry.filename
    if path.is_absolute() or ".." in path.parts or is_odd or (mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode)):
        raise BadRequest(f"The bundle holds {entry.filename!r}, which is no plain file inside it.")
    return entry.filename


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with opened.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > left:
                raise TooLarge(f"The bundle has more than {MAX_UNPACKED_BYTES:,} bytes when it is unpacked.")
            digest.update(chunk)
            file.write(chunk)
    target.chmod(0o444)
    return digest.hexdigest(), size


def _publish(unpacked: Path, place: Path) -> None:
    unpacked.mkdir(exist_ok=True)  # a bundle without files
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


def _remove(folder: Path) -> None:
    for each, _, _ in os.walk(folder):
        Path(each).chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
