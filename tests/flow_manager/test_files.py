"""A file is seen whole or not at all, and is what was written."""

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace.file.v1 import file_service_pb2 as pb
from headrace.query.v1 import query_pb2
from headrace_core.errors import BadRequest, Conflict, NotFound, TooLarge, ValidationFailed
from headrace_flow_manager.configuration import FlowManagerSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .house import ANN, BOB, House, dump, load, open_house, scope, where

MEBIBYTE = 1024 * 1024


async def begin(house: House, file_id: str = "f", filename: str = "a.txt", **more: Any) -> str:
    request = pb.OpenFileRequest(scope=scope(ANN), file_id=file_id, filename=filename, **more)
    upload_id: str = (await house.files.OpenFile(request)).upload_id
    return upload_id


async def write(house: House, upload_id: str, offset: int, data: bytes) -> None:
    await house.files.WriteFile(pb.WriteFileRequest(scope=scope(ANN), upload_id=upload_id, offset=offset, data=data))


async def finish(house: House, upload_id: str) -> Any:
    return (await house.files.FinishFile(pb.FinishFileRequest(scope=scope(ANN), upload_id=upload_id))).file


async def save(house: House, content: bytes, file_id: str = "f", chunk: int = MEBIBYTE) -> Any:
    upload_id = await begin(house, file_id)
    for offset in range(0, len(content), chunk):
        await write(house, upload_id, offset, content[offset : offset + chunk])
    return await finish(house, upload_id)


async def read(house: House, offset: int = 0, length: int = MEBIBYTE, file_id: str = "f") -> bytes:
    request = pb.ReadFileRequest(scope=scope(ANN), file_id=file_id, offset=offset, length=length)
    data: bytes = (await house.files.ReadFile(request)).data
    return data


async def test_a_file_is_described_by_its_content(house: House) -> None:
    upload_id = await begin(house, content_type="text/plain; charset=utf-8", metadata=dump({"a": 1}))
    await write(house, upload_id, 0, b"hello ")
    await write(house, upload_id, 6, b"world")

    file = await finish(house, upload_id)

    assert (file.filename, file.size_bytes, file.content_type) == ("a.txt", 11, "text/plain; charset=utf-8")
    assert file.sha256 == hashlib.sha256(b"hello world").hexdigest()
    assert (file.tenant_id, load(file.metadata)) == (ANN, {"a": 1})
    assert await read(house) == b"hello world"
    assert (await house.files.GetFile(pb.GetFileRequest(scope=scope(ANN), file_id="f"))).file == file


async def test_nothing_is_seen_before_the_end_and_the_old_content_until_then(house: House) -> None:
    upload_id = await begin(house)
    await write(house, upload_id, 0, b"old")
    with pytest.raises(NotFound):
        await read(house)
    await finish(house, upload_id)

    upload_id = await begin(house)
    await write(house, upload_id, 0, b"new")
    assert await read(house) == b"old"
    await finish(house, upload_id)

    assert await read(house) == b"new"
    listed = await house.files.ListFiles(pb.ListFilesRequest(scope=scope(ANN)))
    assert listed.total == 1


async def test_finishing_again_answers_the_same(house: House) -> None:
    upload_id = await begin(house)
    await write(house, upload_id, 0, b"x")

    assert await finish(house, upload_id) == await finish(house, upload_id)
    with pytest.raises(NotFound):
        await write(house, upload_id, 1, b"y")


async def test_chunks_that_leave_a_gap_or_overlap_are_no_file(house: House) -> None:
    upload_id = await begin(house)
    await write(house, upload_id, 0, b"aaaa")
    await write(house, upload_id, 5, b"bb")
    with pytest.raises(Conflict, match="offset 4"):
        await finish(house, upload_id)

    await write(house, upload_id, 4, b"cc")
    with pytest.raises(Conflict, match="offset 6"):
        await finish(house, upload_id)
    await write(house, upload_id, 4, b"c")

    assert (await finish(house, upload_id)).size_bytes == 7
    assert await read(house) == b"aaaacbb"


async def test_an_unfinished_upload_goes_on_under_its_id(house: House) -> None:
    first = await begin(house)
    await write(house, first, 0, b"one")
    second = await begin(house)
    await write(house, second, 3, b"two")

    assert first == second
    await finish(house, second)
    assert await read(house) == b"onetwo"
    assert await begin(house) != first


async def test_a_step_that_begins_again_leaves_nothing_of_its_first_try(house: House) -> None:
    upload_id = await begin(house)
    for offset in range(3):
        await write(house, upload_id, offset, b"x")

    await save(house, b"y")

    assert await read(house) == b"y"


async def test_an_empty_file_is_a_file(house: House) -> None:
    upload_id = await begin(house)
    await write(house, upload_id, 0, b"left behind")

    file = await save(house, b"")

    assert (file.size_bytes, file.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert await read(house) == b""


async def test_a_large_file_and_its_ranges(house: House) -> None:
    content = hashlib.shake_256(b"seed").digest(3 * MEBIBYTE + 17)
    file = await save(house, content)

    assert file.sha256 == hashlib.sha256(content).hexdigest()
    for offset, length in [(0, 1), (MEBIBYTE - 1, 2), (MEBIBYTE, MEBIBYTE), (3 * MEBIBYTE, 100), (len(content), 5)]:
        assert await read(house, offset, length) == content[offset : offset + length]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.integers(1, 9), st.integers(0, 70), st.integers(1, 70))
async def test_any_range_of_any_content_in_any_chunks(
    tmp_path: Path, content: bytes, chunk: int, offset: int, length: int
) -> None:
    async with open_house(tmp_path) as house:
        await save(house, content, chunk=chunk)

        assert await read(house, offset, length) == content[offset : offset + length]


async def test_limits_hold(tmp_path: Path) -> None:
    async with open_house(tmp_path, FlowManagerSettings(max_file_bytes=10)) as house:
        upload_id = await begin(house)
        with pytest.raises(TooLarge):
            await write(house, upload_id, 5, b"123456")
        for offset in range(0, 10, 2):
            await write(house, upload_id, offset, b"12")
        with pytest.raises(TooLarge):
            await write(house, upload_id, 1, b"1")  # overlapping chunks do not smuggle more in
        for offset, data in [(-1, b"x"), (0, b"")]:
            with pytest.raises(BadRequest):
                await write(house, upload_id, offset, data)
        with pytest.raises(TooLarge):
            await write(house, upload_id, 0, b"x" * (MEBIBYTE + 1))
        await finish(house, upload_id)
        for offset, length in [(-1, 1), (0, -1), (0, MEBIBYTE + 1)]:
            with pytest.raises(BadRequest):
                await read(house, offset, length)


@pytest.mark.parametrize("file_id", ["../x", "a b", "x" * 65, "é", "a\n"])
async def test_ids_that_callers_choose_are_plain(house: House, file_id: str) -> None:
    with pytest.raises(BadRequest):
        await begin(house, file_id)


@pytest.mark.parametrize("filename", ["../../etc/passwd", "C:\\x", "'; DROP TABLE files; --", "é.txt", "%"])
async def test_a_file_name_is_for_people_only(house: House, filename: str) -> None:
    await finish(house, await begin(house, filename=filename))

    found = await house.files.ListFiles(
        pb.ListFilesRequest(scope=scope(ANN), query=where("filename", query_pb2.OPERATOR_EQUAL, filename))
    )
    assert [file.filename for file in found.files] == [filename]


@pytest.mark.parametrize(
    "more", [{"filename": ""}, {"filename": "a\r\nb"}, {"filename": "x" * 256}, {"content_type": "text/html\r\nX: y"}]
)
async def test_what_would_break_a_header_is_refused(house: House, more: dict[str, str]) -> None:
    with pytest.raises(ValidationFailed):
        await begin(house, **more)


async def test_deleting_takes_content_and_unfinished_uploads(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await save(house, b"x")
        upload_id = await begin(house)
        await write(house, upload_id, 0, b"y")
        await house.files.DeleteFile(pb.DeleteFileRequest(scope=scope(ANN), file_id="f"))

        with pytest.raises(NotFound):
            await read(house)
        with pytest.raises(NotFound):
            await finish(house, upload_id)
        with pytest.raises(NotFound):
            await house.files.DeleteFile(pb.DeleteFileRequest(scope=scope(ANN), file_id="f"))


async def test_uploads_that_nobody_finishes_are_taken_away(house: House) -> None:
    upload_id = await begin(house)
    house.clock.advance(timedelta(hours=24))
    await house.app.files.prune()
    await write(house, upload_id, 0, b"x")
    house.clock.advance(1)
    await house.app.files.prune()

    with pytest.raises(NotFound):
        await finish(house, upload_id)


async def test_files_saved_at_once_do_not_mix(house: House) -> None:
    contents = {f"f{number}": bytes([number]) * 3000 for number in range(8)}

    await asyncio.gather(*(save(house, content, file_id, chunk=1000) for file_id, content in contents.items()))

    assert {file_id: await read(house, file_id=file_id) for file_id in contents} == contents


async def test_files_that_a_filter_finds_go_some_at_a_time_and_nobody_elses(house: House) -> None:
    for number in range(103):
        await save(house, b"x", f"f{number}")
    theirs = await house.files.OpenFile(pb.OpenFileRequest(scope=scope(BOB), file_id="f1", filename="a.txt"))
    await house.files.FinishFile(pb.FinishFileRequest(scope=scope(BOB), upload_id=theirs.upload_id))
    query = where("filename", query_pb2.OPERATOR_EQUAL, "a.txt")

    first = await house.files.DeleteFiles(pb.DeleteFilesRequest(scope=scope(ANN), query=query))
    second = await house.files.DeleteFiles(pb.DeleteFilesRequest(scope=scope(ANN), query=query))
    with pytest.raises(BadRequest, match="No filter"):
        await house.files.DeleteFiles(pb.DeleteFilesRequest(scope=scope(BOB)))

    assert [(each.deleted, each.remaining) for each in (first, second)] == [(100, 3), (3, 0)]
    assert (await house.files.ListFiles(pb.ListFilesRequest(scope=scope(ANN)))).total == 0
    assert (await house.files.ListFiles(pb.ListFilesRequest(scope=scope(BOB)))).total == 1
