"""Bundles are fetched once, checked against their id, and make room for each other."""

from __future__ import annotations

import asyncio
import io
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from headrace_core.bundles import content_id
from headrace_core.errors import BadRequest, NotFound, TooLarge
from headrace_executor.runners.bundles import Bundles

from .published import Shelf

LIMIT = 1024 * 1024


async def test_a_bundle_is_fetched_once_for_all_who_ask(tmp_path: Path) -> None:
    shelf = Shelf()
    bundle_id = shelf.put({"acme/a.txt": "a", "acme/b/c.txt": "c"})
    kept = Bundles(tmp_path / "kept", shelf, LIMIT)

    folders = await asyncio.gather(*(kept.folder(bundle_id) for _ in range(20)))
    again = await Bundles(tmp_path / "kept", shelf, LIMIT).folder(bundle_id)

    assert shelf.reads == [bundle_id]
    assert {*folders, again} == {tmp_path / "kept" / bundle_id}
    assert (again / "acme/b/c.txt").read_text() == "c"
    assert names_in(tmp_path / "kept") == {bundle_id}, "nothing else is left there"


async def test_nothing_in_a_bundle_can_be_written(tmp_path: Path) -> None:
    shelf = Shelf()
    folder = await Bundles(tmp_path, shelf, LIMIT).folder(shelf.put({"acme/a.txt": "a"}))

    writable = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    assert not [each for each in [folder, *folder.rglob("*")] if each.stat().st_mode & writable]


async def test_what_is_not_the_bundle_is_not_used(tmp_path: Path) -> None:
    shelf = Shelf()
    good, other = shelf.put({"a": "a"}), shelf.put({"a": "b"})
    shelf.archives[good] = shelf.archives[other]
    kept = Bundles(tmp_path, shelf, LIMIT)

    with pytest.raises(BadRequest, match="another one"):
        await kept.folder(good)
    with pytest.raises(NotFound):
        await kept.folder("0" * 64)
    with pytest.raises(BadRequest, match="no content id"):
        await kept.folder("../../etc")
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "link"])
async def test_nothing_is_unpacked_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16 if name == "link" else 0
        archive.writestr(entry, "/etc/passwd")
    shelf = Shelf()
    bundle_id = content_id({name: b"/etc/passwd"})
    shelf.archives[bundle_id] = packed.getvalue()

    with pytest.raises(BadRequest, match=name):
        await Bundles(tmp_path / "kept", shelf, LIMIT).folder(bundle_id)
    assert names_in(tmp_path) == {"kept"}
    assert names_in(tmp_path / "kept") == set()


async def test_an_archive_that_does_not_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    class Endless(Shelf):
        async def read(self, bundle_id: str) -> AsyncIterator[bytes]:
            while True:
                yield bytes(8 * 1024 * 1024)

    with pytest.raises(TooLarge):
        await Bundles(tmp_path, Endless(), LIMIT).folder("0" * 64)


async def test_a_download_that_breaks_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    shelf = Shelf()
    bundle_id = shelf.put({"a": "a"})

    class Breaking(Shelf):
        async def read(self, bundle_id: str) -> AsyncIterator[bytes]:
            self.reads.append(bundle_id)
            whole = shelf.archives[bundle_id]
            yield whole[:10]
            if len(self.reads) == 1:
                raise ConnectionError("broken")
            yield whole[10:]

    kept = Bundles(tmp_path, Breaking(), LIMIT)

    with pytest.raises(ConnectionError):
        await kept.folder(bundle_id)
    assert names_in(tmp_path) == set()
    assert (await kept.folder(bundle_id) / "a").read_text() == "a"


async def test_the_longest_unused_bundles_make_room_and_those_in_use_stay(tmp_path: Path) -> None:
    shelf = Shelf()
    ids = [shelf.put({"a": bytes([number]) * 400}) for number in range(4)]
    kept = Bundles(tmp_path, shelf, 1000)

    await kept.folder(ids[0])
    await kept.folder(ids[1])
    await kept.folder(ids[2], in_use={ids[0]})
    await kept.folder(ids[3], in_use={ids[0]})

    assert names_in(tmp_path) == {ids[0], ids[3]}


def names_in(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}
