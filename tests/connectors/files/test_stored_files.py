"""What the nodes of `files` do, each called by itself."""

from __future__ import annotations

import io
import zipfile

import pytest
from headrace_connectors.utils.files.ArchiveFile.component import ArchiveFile
from headrace_connectors.utils.files.DownloadFile.component import DownloadFile
from headrace_connectors.utils.files.LoadFile.component import MAX_TEXT_BYTES, LoadFile
from headrace_connectors.utils.files.LoadFileLines.component import MAX_LINE, LoadFileLines
from headrace_connectors.utils.files.RemoveFile.component import RemoveFile
from headrace_connectors.utils.files.SaveFile.component import SaveFile
from headrace_core import Json
from headrace_sdk import CancelError, Component, HttpResponse, HttpStatusError, RateLimitedError
from headrace_sdk.testing import HttpRequest, World, run_component


@pytest.fixture
def world() -> World:
    return World()


async def saved(world: World, content: Json, encoding: str, name: str = "a.txt") -> bytes:
    given: Json = {"filename": name, "mimetype": "text/plain", "content": content, "contentEncoding": encoding}
    [sent] = (await run_component(SaveFile, content=given, world=world)).on("file")
    assert isinstance(sent, dict)
    return world.files.contents[str(sent["fileId"])]


@pytest.mark.parametrize(
    ("content", "encoding", "kept"),
    [
        ("abc", "ascii", b"abc"),
        ("ž", "utf8", "ž".encode()),
        ("ž", "utf16le", "ž".encode("utf-16-le")),
        ("AAH/", "base64", b"\x00\x01\xff"),
        ("00 01ff", "hex", b"\x00\x01\xff"),
        ([0, 1, 255], "utf8", b"\x00\x01\xff"),
        ({"a": 1}, "utf8", b'{"a":1}'),
    ],
)
async def test_content_is_kept_as_its_encoding_says(content: Json, encoding: str, kept: bytes, world: World) -> None:
    assert await saved(world, content, encoding) == kept


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        ("ž", "ascii", "as ascii"),
        ("*", "base64", "as base64"),
        ("0", "hex", "as hex"),
        ("a", "latin9", "no encoding 'latin9'"),
        ([256], "utf8", "from 0 to 255"),
        ([True], "utf8", "from 0 to 255"),
    ],
)
async def test_what_is_not_written_that_way_is_refused(content: Json, encoding: str, said: str, world: World) -> None:
    with pytest.raises(CancelError, match=said):
        await saved(world, content, encoding)
    assert world.files.contents == {}


async def test_a_name_stays_a_name(world: World) -> None:
    await saved(world, "x", "utf8", "../../etc/pass\nwd")

    assert [each.filename for each in world.files.infos.values()] == ["passwd"]


async def loaded(component: type[Component], world: World, content: bytes) -> list[Json]:
    file = await world.files.save("a.txt", content)
    return (await run_component(component, content={"fileId": file.file_id}, world=world)).on("content")


async def test_text_is_read_in_the_encoding_it_has(world: World) -> None:
    for content in ("ž€".encode(), "ž€".encode("utf-8-sig"), "ž€".encode("utf-16"), "ž€".encode("cp1252")):
        assert await loaded(LoadFile, world, content) == [{"content": "ž€"}]


async def test_a_text_that_is_too_large_is_refused(world: World) -> None:
    with pytest.raises(CancelError, match=str(MAX_TEXT_BYTES)):
        await loaded(LoadFile, world, b"x" * (MAX_TEXT_BYTES + 1))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\n\r\nb\rc", ["a", "", "b", "c"]),
        ("ž\n".encode() * 3, ["ž", "ž", "ž"]),
    ],
)
async def test_lines_come_one_by_one_whatever_ends_them(content: bytes, lines: list[str], world: World) -> None:
    expected = [{"index": index, "line": line} for index, line in enumerate(lines)]

    assert await loaded(LoadFileLines, world, content) == expected


async def test_a_line_may_lie_in_two_pieces_of_the_file(world: World) -> None:
    long = "ž" * (MAX_LINE // 2 + 7)

    sent = await loaded(LoadFileLines, world, f"{long}\r\n{long}".encode())

    assert [each["line"] == long for each in sent if isinstance(each, dict)] == [True, True]


async def test_a_file_without_lines_is_refused_before_it_fills_the_memory(world: World) -> None:
    with pytest.raises(CancelError, match="no file of lines"):
        await loaded(LoadFileLines, world, b"x" * (3 * MAX_LINE))


async def test_removing_twice_is_removing_once(world: World) -> None:
    file = await world.files.save("a.txt", b"x")

    for _ in range(2):
        outcome = await run_component(RemoveFile, content={"fileId": file.file_id}, world=world)
        assert outcome.on("deleted") == [{"fileId": file.file_id}]
    assert world.files.contents == {}


async def test_one_file_is_zipped_under_its_name(world: World) -> None:
    file = await world.files.save("../a.txt", b"abc")

    [sent] = (await run_component(ArchiveFile, content={"fileId": file.file_id}, world=world)).on("out")

    assert isinstance(sent, dict)
    info = await world.files.info(str(sent["fileId"]))
    with zipfile.ZipFile(io.BytesIO(world.files.contents[info.file_id])) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"a.txt": b"abc"}
    assert (info.filename, info.content_type) == ("a.txt.zip", "application/zip")


@pytest.mark.parametrize(
    ("wanted", "described", "name"),
    [
        ("mine.bin", 'attachment; filename="theirs.bin"', "mine.bin"),
        ("", 'attachment; filename="theirs.bin"', "theirs.bin"),
        ("", "attachment; filename*=UTF-8''%C5%BE.bin", "ž.bin"),
        ("", 'attachment; filename="../../up.bin"', "up.bin"),
        ("", "", "last part.bin"),
    ],
)
async def test_a_download_is_named_by_the_node_the_server_or_the_link(
    wanted: str, described: str, name: str, world: World
) -> None:
    asked: list[HttpRequest] = []

    async def site(request: HttpRequest) -> HttpResponse:
        asked.append(request)
        headers = [("Content-Type", "Image/PNG; x=y"), *([("content-disposition", described)] if described else [])]
        return HttpResponse(200, headers, b"\x89PNG", url=request.url)

    world.http = site
    given: Json = {"link": "https://user:p%40ss@files.example/a/last%20part.bin", "customFileName": wanted}
    [sent] = (await run_component(DownloadFile, content=given, world=world)).on("out")

    assert isinstance(sent, dict)
    assert (sent["filename"], sent["contentType"]) == (name, "image/png")
    assert world.files.contents[str(sent["fileId"])] == b"\x89PNG"
    assert asked[0].url == "https://files.example/a/last%20part.bin"
    assert asked[0].headers["Authorization"] == "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize(("status", "kind"), [(404, HttpStatusError), (429, RateLimitedError)])
async def test_what_is_not_there_is_not_kept(status: int, kind: type[Exception], world: World) -> None:
    async def site(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status, (), b"no")

    world.http = site
    with pytest.raises(kind):
        await run_component(DownloadFile, content={"link": "https://files.example/a"}, world=world)
    assert world.files.contents == {}


async def test_only_links_of_the_web_are_fetched() -> None:
    with pytest.raises(CancelError, match="http://"):
        await run_component(DownloadFile, content={"link": "file:///etc/passwd"})
