"""What every adapter of FileStore promises."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import Conflict, NotFound, RevisionConflict, TooLarge
from headrace_core.ids import new_id
from headrace_flow_manager.files.model import Description, File
from headrace_flow_manager.query import Condition, ListQuery, SortKey
from headrace_flow_manager.scope import EVERY_TENANT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.data_and_files import Ports, some_ports

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB = "a" * 24, "b" * 24
TEXT = Description("a.txt", "text/plain", {"$set": {"a.b": 2**70}})
MUCH = 1_000_000


@pytest.fixture(params=["sqlite", "mongo"])
async def ports(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ports]:
    async with some_ports(request, tmp_path) as opened:
        yield opened


async def begin(ports: Ports, file_id: str = "f", tenant: str = ANN, now: datetime = NOW) -> str:
    return await ports.files.open(tenant, new_id(), file_id, TEXT, now)


async def finish(ports: Ports, upload_id: str, tenant: str = ANN, now: datetime = NOW) -> File:
    return await ports.files.finish(tenant, upload_id, await ports.files.digest(tenant, upload_id), now)


async def save(ports: Ports, content: bytes, file_id: str = "f", tenant: str = ANN, chunk: int = 3) -> File:
    upload_id = await begin(ports, file_id, tenant)
    for offset in range(0, len(content), chunk):
        await ports.files.write(tenant, upload_id, offset, content[offset : offset + chunk], MUCH)
    return await finish(ports, upload_id, tenant)


async def test_a_file_is_finished_only_as_it_was_added_up(ports: Ports) -> None:
    upload_id = await begin(ports)
    await ports.files.write(ANN, upload_id, 0, b"one", 100)
    digest = await ports.files.digest(ANN, upload_id)
    await ports.files.write(ANN, upload_id, 3, b"two", 100)

    with pytest.raises(RevisionConflict):
        await ports.files.finish(ANN, upload_id, digest, NOW)
    file = await finish(ports, upload_id)

    assert await ports.files.finished(ANN, upload_id) == file == await ports.files.get(ANN, "f")
    assert (file.size_bytes, file.sha256) == (6, hashlib.sha256(b"onetwo").hexdigest())
    assert (file.description, file.content_id, file.uploaded_at) == (TEXT, upload_id, NOW)
    assert await ports.files.finished(BOB, upload_id) is None


async def test_a_file_is_its_tenants_own(ports: Ports) -> None:
    await save(ports, b"ann's")
    await save(ports, b"bob's", tenant=BOB)
    upload_id = await begin(ports)

    assert await ports.files.read(ANN, "f", 0, 10) == b"ann's"
    assert await ports.files.read(BOB, "f", 0, 10) == b"bob's"
    assert {each.tenant_id for each in (await ports.files.page(EVERY_TENANT, ListQuery())).items} == {ANN, BOB}
    for call in (
        ports.files.get("c" * 24, "f"),
        ports.files.read("c" * 24, "f", 0, 1),
        ports.files.delete("c" * 24, "f"),
        ports.files.upload(BOB, upload_id),
        ports.files.write(BOB, upload_id, 0, b"x", 10),
        ports.files.digest(BOB, upload_id),
    ):
        with pytest.raises(NotFound):
            await call
    await ports.files.delete(BOB, "f")
    assert await ports.files.read(EVERY_TENANT, "f", 0, 10) == b"ann's"


async def test_an_upload_goes_on_or_begins_anew_as_its_first_chunk_says(ports: Ports) -> None:
    upload_id = await begin(ports)
    for offset in (0, 3, 6):
        await ports.files.write(ANN, upload_id, offset, b"old", MUCH)

    assert await begin(ports) == upload_id
    await ports.files.write(ANN, upload_id, 9, b"more", MUCH)
    assert (await ports.files.digest(ANN, upload_id)).size_bytes == 13
    assert await begin(ports) == upload_id
    assert (await ports.files.digest(ANN, upload_id)).size_bytes == 0
    await ports.files.write(ANN, upload_id, 0, b"new", MUCH)

    assert (await finish(ports, upload_id)).size_bytes == 3
    assert await ports.files.read(ANN, "f", 0, 100) == b"new"
    assert await begin(ports) != upload_id


async def test_a_chunk_stands_in_place_of_the_one_at_its_offset(ports: Ports) -> None:
    upload_id = await begin(ports)
    for offset, data in ((0, b"aaaa"), (4, b"bbbb"), (0, b"cc"), (0, b"dddd"), (4, b"e")):
        await ports.files.write(ANN, upload_id, offset, data, 8)
    with pytest.raises(TooLarge):
        await ports.files.write(ANN, upload_id, 1, b"xxxx", 8)

    file = await finish(ports, upload_id)

    assert (file.size_bytes, file.sha256) == (5, hashlib.sha256(b"dddde").hexdigest())
    assert await ports.files.read(ANN, "f", 0, 100) == b"dddde"


async def test_chunks_that_leave_a_gap_or_overlap_are_no_file(ports: Ports) -> None:
    upload_id = await begin(ports)
    await ports.files.write(ANN, upload_id, 5, b"bb", MUCH)
    with pytest.raises(Conflict, match="offset 0"):
        await ports.files.digest(ANN, upload_id)
    await ports.files.write(ANN, upload_id, 0, b"aaaaaa", MUCH)
    with pytest.raises(Conflict, match="offset 6"):
        await ports.files.digest(ANN, upload_id)


async def test_chunks_that_are_written_at_once_all_count(ports: Ports) -> None:
    content = hashlib.shake_256(b"seed").digest(400)
    upload_id = await begin(ports)
    await ports.files.write(ANN, upload_id, 0, content[:20], MUCH)

    await asyncio.gather(
        *(ports.files.write(ANN, upload_id, at, content[at : at + 20], MUCH) for at in range(20, 400, 20))
    )

    assert (await finish(ports, upload_id)).sha256 == hashlib.sha256(content).hexdigest()
    assert await ports.files.read(ANN, "f", 0, 400) == content


async def test_the_former_content_is_seen_until_the_next_is_finished(ports: Ports) -> None:
    former = await save(ports, b"former")
    upload_id = await begin(ports)
    await ports.files.write(ANN, upload_id, 0, b"next", MUCH)

    assert await ports.files.read(ANN, "f", 0, 100) == b"former"
    assert await ports.files.finished(ANN, former.content_id) == former
    await finish(ports, upload_id)

    assert await ports.files.read(ANN, "f", 1, 2) == b"ex"
    assert await ports.files.finished(ANN, former.content_id) is None
    assert (await ports.files.page(ANN, ListQuery())).total == 1
    for call in (ports.files.upload(ANN, upload_id), ports.files.write(ANN, upload_id, 0, b"x", MUCH)):
        with pytest.raises(NotFound):
            await call


async def test_deleting_takes_the_file_and_its_upload(ports: Ports) -> None:
    await save(ports, b"x")
    upload_id = await begin(ports)
    await ports.files.delete(ANN, "f")

    for call in (
        ports.files.get(ANN, "f"),
        ports.files.read(ANN, "f", 0, 1),
        ports.files.delete(ANN, "f"),
        ports.files.write(ANN, upload_id, 0, b"x", MUCH),
    ):
        with pytest.raises(NotFound):
            await call
    await save(ports, b"again")
    await ports.files.prune(NOW)
    assert await ports.files.read(ANN, "f", 0, 100) == b"again"


async def test_uploads_are_pruned_by_when_they_were_opened_last(ports: Ports) -> None:
    gone = await begin(ports, "gone")
    kept = await begin(ports, "kept")
    await begin(ports, "kept", now=NOW + timedelta(seconds=1))

    for _ in range(3):
        await ports.files.prune(NOW + timedelta(seconds=1))

    assert (await ports.files.upload(ANN, kept)).file_id == "kept"
    with pytest.raises(NotFound):
        await ports.files.upload(ANN, gone)


async def test_files_are_found_by_what_is_public_of_them(ports: Ports) -> None:
    for file_id, content in (("b", b"1"), ("a", b"22"), ("c", b"333")):
        await save(ports, content, file_id)

    for query, expected in (
        (ListQuery(), ["a", "b", "c"]),
        (ListQuery(sort=(SortKey("length", descending=True),), limit=2), ["c", "a"]),
        (ListQuery((Condition("length", "greater", 1),), offset=1), ["c"]),
        (ListQuery((Condition("metadata.userId", "equal", ANN),), pattern="A.TXT"), ["a", "b", "c"]),
        (ListQuery((Condition("filename", "equal", "$ne"),)), []),
    ):
        assert [each.file_id for each in (await ports.files.page(ANN, query)).items] == expected


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.integers(1, 9), st.integers(0, 70), st.integers(1, 70))
async def test_any_range_of_any_content_in_any_chunks(
    ports: Ports, content: bytes, chunk: int, offset: int, length: int
) -> None:
    await save(ports, content, chunk=chunk)

    assert await ports.files.read(ANN, "f", offset, length) == content[offset : offset + length]
