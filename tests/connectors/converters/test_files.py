"""Archives and data URIs."""

from __future__ import annotations

import base64
import io
import stat
import tarfile
import zipfile

import pytest
from headrace_connectors.utils.converters.Archive.component import Archive
from headrace_connectors.utils.converters.DataUri2File.component import DataUri2File
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject, LockUnavailable
from headrace_sdk.testing import World, run_component


@pytest.fixture
def world() -> World:
    return World()


async def kept(world: World, name: str, content: bytes) -> str:
    return (await world.files.save(name, content)).file_id


async def packed(world: World, *file_ids: str, **fields: Json) -> tuple[str, str]:
    """The id and the name of the archive."""
    files: Json = {"AND": [{"fileId": each} for each in file_ids]}
    given: JsonObject = {"outputFormat": "zip", "fileName": "all.zip", "files": files, **fields}
    [answer] = (await run_component(Archive, content=given, world=world)).on("out")
    assert isinstance(answer, dict)
    return str(answer["fileId"]), str(answer["fileName"])


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def untarred(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in found.items() if file is not None}


def zip_of(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return made.getvalue()


async def test_files_are_packed_by_name(world: World) -> None:
    files = [await kept(world, "a.txt", b"one"), await kept(world, "b/ž.txt", b"two" * 1000)]

    zipped, name = await packed(world, *files)
    tarred, _ = await packed(world, *files, outputFormat="tar", fileName="all.tar")

    expected = {"a.txt": b"one", "b/ž.txt": b"two" * 1000}
    assert unzipped(world.files.contents[zipped]) == untarred(world.files.contents[tarred]) == expected
    assert name == "all.zip"
    kinds = [(await world.files.info(each)).content_type for each in (zipped, tarred)]
    assert kinds == ["application/zip", "application/x-tar"]


async def test_names_that_are_alike_get_numbers_and_none_leads_out_of_the_folder(world: World) -> None:
    names = ["a.txt", "a.txt", "../../a.txt", "/etc/passwd", "..\\up", ".hidden", "..", "x\x00\ny", "a.txt"]
    files = [await kept(world, name, str(place).encode()) for place, name in enumerate(names)]

    archive, _ = await packed(world, *files)

    assert list(unzipped(world.files.contents[archive])) == [
        "a.txt",
        "a (1).txt",
        "a (2).txt",
        "etc/passwd",
        "up",
        ".hidden",
        "file",
        "xy",
        "a (3).txt",
    ]


@pytest.mark.parametrize("form", ["zip", "tar"])
async def test_files_are_added_to_an_archive_and_adding_twice_changes_nothing(form: str, world: World) -> None:
    old, new = await kept(world, "old.txt", b"1"), await kept(world, "new.txt", b"2")
    archive, name = await packed(world, old, outputFormat=form, fileName=f"all.{form}")
    await world.files.replace(old, b"3")

    again: JsonObject = {"outputFormat": form, "fileName": "other", "archiveFileID": archive}
    assert await packed(world, new, old, **again) == (archive, name)
    once = world.files.contents[archive]
    await packed(world, new, old, **again)

    read = unzipped if form == "zip" else untarred
    assert read(once) == {"old.txt": b"3", "new.txt": b"2"}
    assert world.files.contents[archive] == once


async def test_entries_of_an_archive_that_are_alike_are_all_kept(world: World) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        doubled = zip_of([("a", b"1"), ("a", b"2"), ("../a", b"3"), ("folder/", b"")])
    archive = await kept(world, "old.zip", doubled)

    await packed(world, await kept(world, "b", b"4"), archiveFileID=archive)

    assert unzipped(world.files.contents[archive]) == {"a": b"1", "a (1)": b"2", "a (2)": b"3", "b": b"4"}


async def test_links_in_a_tar_are_left_out(world: World) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    target = await kept(world, "old.tar", made.getvalue())

    await packed(world, await kept(world, "b", b"4"), archiveFileID=target, outputFormat="tar")

    assert untarred(world.files.contents[target]) == {"b": b"4"}


def lying_zip() -> bytes:
    """A bomb whose directory says that its file is small."""
    bomb = bytearray(zip_of([("bomb", bytes(80 * 1024 * 1024))]))
    size = (80 * 1024 * 1024).to_bytes(4, "little")
    return bytes(bomb.replace(size, (10).to_bytes(4, "little")))


def encrypted_zip() -> bytes:
    locked = bytearray(zip_of([("a", b"secret")]))
    for header, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(header) + flag] |= 1
    return bytes(locked)


def spoilt_zip() -> bytes:
    made = zip_of([("a", b"x" * 1000)])
    return made.replace(made[32:36], b"\xff\xff\xff\xff")


ARCHIVES: list[tuple[str, bytes, str]] = [
    ("zip", b"no archive", "no zip archive that can be read"),
    ("zip", b"", "no zip archive that can be read"),
    ("tar", b"x" * 2000, "no tar archive that can be read"),
    ("tar", zip_of([("a", b"1")]), "no tar archive that can be read"),
    ("zip", encrypted_zip(), "no zip archive that can be read"),
    ("zip", spoilt_zip(), "no zip archive that can be read"),
    ("zip", zip_of([("bomb", bytes(80 * 1024 * 1024))]), "more than 67108864 bytes together"),
    ("zip", zip_of([(f"bomb{number}", bytes(40 * 1024 * 1024)) for number in range(2)]), "more than 67108864 bytes"),
    ("zip", lying_zip(), "no zip archive that can be read|more than 67108864 bytes"),
    ("zip", zip_of([(str(number), b"") for number in range(10_001)]), "at most 10000"),
]


@pytest.mark.parametrize(("form", "content", "message"), ARCHIVES, ids=[str(place) for place in range(len(ARCHIVES))])
async def test_an_archive_that_is_none_or_too_large_is_refused_and_stays(
    form: str, content: bytes, message: str, world: World
) -> None:
    archive = await kept(world, "old", content)

    with pytest.raises(CancelError, match=message):
        await packed(world, await kept(world, "b", b"4"), archiveFileID=archive, outputFormat=form)

    assert world.files.contents[archive] == content


FIELDS: list[tuple[JsonObject, str]] = [
    ({"outputFormat": "rar"}, "The format 'rar' is not known"),
    ({"outputFormat": ["zip"]}, "is not known"),
    ({"fileName": " "}, "The field fileName is empty"),
    ({"files": {"AND": [{}]}}, "The field fileId is empty"),
    ({"files": {"AND": [{"fileId": "lost"}]}}, "no file 'lost'"),
    ({"archiveFileID": "lost"}, "no file 'lost'"),
]


@pytest.mark.parametrize(("fields", "message"), FIELDS)
async def test_fields_that_make_no_sense_are_refused(fields: JsonObject, message: str, world: World) -> None:
    with pytest.raises(CancelError, match=message):
        await packed(world, **fields)


async def test_files_that_are_too_large_together_are_not_even_read(world: World) -> None:
    half = await kept(world, "half", bytes(40 * 1024 * 1024))

    with pytest.raises(CancelError, match="more than 67108864 bytes together"):
        await packed(world, half, half)


async def test_two_steps_add_to_an_archive_one_after_the_other(world: World) -> None:
    archive, _ = await packed(world, await kept(world, "a", b"1"))
    world.locked.add(f"archive:{archive}")

    with pytest.raises(LockUnavailable):
        await packed(world, await kept(world, "b", b"2"), archiveFileID=archive)


async def test_unpacked_files_are_readable_and_not_executable(world: World) -> None:
    archive, _ = await packed(world, await kept(world, "a", b"1"))

    with zipfile.ZipFile(io.BytesIO(world.files.contents[archive])) as found:
        assert stat.S_IMODE(found.infolist()[0].external_attr >> 16) == 0o644


PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
URIS: list[tuple[str, str | None, bytes, str, str]] = [
    ("data:,hello%20you", None, b"hello you", "text/plain", "result.txt"),
    ("data:text/html;charset=utf-8,<p>%C5%BE", "page", "<p>ž".encode(), "text/html", "page.html"),
    (f"data:image/png;base64,{base64.b64encode(PNG).decode()}", None, PNG, "image/png", "result.png"),
    (f"data:image/png;base64,{base64.urlsafe_b64encode(PNG).decode().rstrip('=')}", "x.bin", PNG, "image/png", "x.bin"),
    ("DATA:Image/JPEG;BASE64,aGk%3D", "photo", b"hi", "image/jpeg", "photo.jpg"),
    ("data:;base64,aG\n k=", "a/../../etc/b", b"hi", "text/plain", "b.txt"),
    ("data:application/x-unheard-of,x", None, b"x", "application/x-unheard-of", "result.bin"),
    ("data:not a type,x", None, b"x", "application/octet-stream", "result.bin"),
    ("data:text/plain\r\nx: y,x", None, b"x", "application/octet-stream", "result.bin"),
    ("data:text/csv,a,b", "t.csv", b"a,b", "text/csv", "t.csv"),
]


@pytest.mark.parametrize(("uri", "name", "content", "content_type", "saved"), URIS)
async def test_a_data_uri_becomes_a_file(
    uri: str, name: str | None, content: bytes, content_type: str, saved: str, world: World
) -> None:
    outcome = await run_component(DataUri2File, content={"dataUri": uri, "fileName": name}, world=world)

    [answer] = outcome.on("out")
    assert isinstance(answer, dict)
    info = await world.files.info(str(answer["fileId"]))
    assert (answer["fileName"], info.filename, info.content_type) == (saved, saved, content_type)
    assert world.files.contents[info.file_id] == content


BAD_URIS: list[tuple[Json, str]] = [
    (None, "The field dataUri is empty"),
    ("", "The field dataUri is empty"),
    ("https://example.com/a,b", "must begin with data:"),
    ("data:text/plain;base64", "hold a comma"),
    ("data:;base64,a", "holds no base64"),
    ("data:;base64,aGk!", "holds no base64"),
    ("data:;base64,aG=k", "holds no base64"),
]


@pytest.mark.parametrize(("uri", "message"), BAD_URIS)
async def test_what_is_no_data_uri_is_refused(uri: Json, message: str, world: World) -> None:
    with pytest.raises(CancelError, match=message):
        await run_component(DataUri2File, content={"dataUri": uri}, world=world)

    assert world.files.contents == {}
