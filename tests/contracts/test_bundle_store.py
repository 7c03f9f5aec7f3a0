"""What every BundleStore and PublicationStore promises."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.bundle_rules import Finding
from headrace_core.errors import NotFound, RevisionConflict
from headrace_flow_manager.catalog.publication import PIECE_BYTES, Publication
from headrace_flow_manager.catalog.store import BundleStore, Content, Mark, Published
from headrace_flow_manager.stores.bundle import Stores

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANN, BOB = "a" * 24, "b" * 24
ONE, TWO = "1" * 64, "2" * 64
CONTENT = Content(ONE, "acme.mail", {"components": [{"type": "acme.mail.core.Send", "$a.b": 2**60}]})
FINDING = Finding("acme/mail/x.json", ".name", "It is wrong.", "Mend it.")


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def stores(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as opened:
        yield opened


async def whole(store: BundleStore, content_id: str) -> bytes:
    found, number = b"", 0
    while data := await store.piece(content_id, number):
        found, number = found + data, number + 1
    return found


async def test_nothing_is_published_at_first_and_every_change_is_a_generation(stores: Stores) -> None:
    store = stores.bundles
    assert await store.published() == Published(0, {})

    await store.publish(await store.published(), "acme.mail", ONE)
    await store.publish(await store.published(), "acme.chat", TWO)
    assert await store.published() == Published(2, {"acme.chat": TWO, "acme.mail": ONE})
    await store.publish(await store.published(), "acme.mail", "")

    assert await store.published() == Published(3, {"acme.chat": TWO})
    assert await store.generation() == 3


@pytest.mark.parametrize("others", [0, 1])
async def test_of_two_who_publish_over_the_same_one_is_told(stores: Stores, others: int) -> None:
    store = stores.bundles
    for number in range(others):
        await store.publish(await store.published(), f"acme.s{number}", TWO)
    before = await store.published()

    await store.publish(before, "acme.mail", ONE)
    with pytest.raises(RevisionConflict):
        await store.publish(before, "acme.mail", TWO)

    assert (await store.published()).contents["acme.mail"] == ONE


async def test_a_content_comes_back_as_it_was_kept_and_once(stores: Stores) -> None:
    store, archive = stores.bundles, bytes(range(256)) * 8192 + b"rest"

    for each in (archive, b"another way to pack it"):
        await store.add(CONTENT, each, NOW)

    assert await store.contents([ONE, TWO]) == [CONTENT]
    assert await whole(store, ONE) == archive
    assert len(await store.piece(ONE, 0)) == PIECE_BYTES
    with pytest.raises(NotFound):
        await store.piece(TWO, 0)
    assert await store.contents([]) == []


async def test_only_a_content_that_is_marked_long_enough_is_dropped(stores: Stores) -> None:
    store = stores.bundles
    for content_id in (ONE, TWO):
        await store.add(replace(CONTENT, content_id=content_id), b"archive", NOW)
    await store.drop(ONE, LATER)
    await store.mark(ONE, NOW)
    await store.mark(TWO, LATER)
    await store.drop(ONE, NOW)
    await store.drop(TWO, LATER)
    assert await store.marks() == [Mark(ONE, NOW), Mark(TWO, LATER)]

    await store.drop(ONE, LATER)

    assert await store.marks() == [Mark(TWO, LATER)]
    with pytest.raises(NotFound):
        await store.piece(ONE, 0)


async def test_a_content_that_is_published_again_is_used_again_even_after_it_was_dropped(stores: Stores) -> None:
    store = stores.bundles
    await store.add(CONTENT, b"archive", NOW)
    await store.mark(ONE, NOW)

    await store.add(CONTENT, b"archive", LATER)
    await store.drop(ONE, LATER)
    assert await store.marks() == [Mark(ONE, None)]
    await store.mark(ONE, NOW)
    await store.drop(ONE, LATER)
    await store.add(CONTENT, b"archive", LATER)

    assert await whole(store, ONE) == b"archive"


async def test_a_publication_is_its_tenants_and_comes_back_as_it_is(stores: Stores) -> None:
    store, opened = stores.publications, Publication("t1", ANN, NOW, NOW)
    await store.open(opened)
    assert await store.get(ANN, "t1") == opened
    with pytest.raises(NotFound):
        await store.get(BOB, "t1")
    with pytest.raises(NotFound):
        await store.write(BOB, "t1", 0, b"x")

    refused = opened.submitted(LATER).refused("no", [FINDING], LATER)
    await store.save(refused)

    assert await store.get(ANN, "t1") == refused
    with pytest.raises(NotFound):
        await store.write(ANN, "t1", 0, b"x")


async def test_pieces_are_put_together_and_go_when_it_is_finished(stores: Stores) -> None:
    store, opened = stores.publications, Publication("t1", ANN, NOW, NOW)
    await store.open(opened)
    for number, data in ((1, b"two"), (0, b"no"), (0, b"one"), (3, b"four")):
        await store.write(ANN, "t1", number, data)
    assert await store.archive("t1") == b"onetwo"

    await store.save(opened.submitted(LATER).done(["acme.mail.core.Send"], LATER))

    assert await store.archive("t1") == b""
    assert (await store.get(ANN, "t1")).types == ("acme.mail.core.Send",)


async def test_those_that_wait_come_longest_first_whosever_they_are(stores: Stores) -> None:
    store = stores.publications
    for ticket, tenant, at in (("t1", ANN, LATER), ("t2", BOB, NOW), ("t3", ANN, NOW)):
        await store.open(Publication(ticket, tenant, NOW, NOW))
        if ticket != "t3":
            await store.save(Publication(ticket, tenant, NOW, NOW).submitted(at))

    assert [each.ticket for each in await store.submitted(10)] == ["t2", "t1"]
    assert [each.ticket for each in await store.submitted(1)] == ["t2"]
    assert (await store.waiting(ANN), await store.waiting(BOB)) == (2, 1)
    await store.save((await store.get(ANN, "t1")).done([], NOW))
    assert (await store.waiting(ANN), await store.waiting("c" * 24)) == (1, 0)


async def test_what_is_over_is_forgotten_and_what_waits_is_not(stores: Stores) -> None:
    store = stores.publications
    tickets = {"old": NOW, "waits": NOW, "over": NOW, "new": LATER}
    for ticket, at in tickets.items():
        await store.open(Publication(ticket, ANN, at, at))
        await store.write(ANN, ticket, 0, b"x")
    await store.save((await store.get(ANN, "waits")).submitted(NOW))
    await store.save((await store.get(ANN, "over")).submitted(NOW).done([], NOW))

    await store.prune(LATER)

    for ticket in ("old", "over"):
        with pytest.raises(NotFound):
            await store.get(ANN, ticket)
    assert await store.archive("old") == b""
    assert await store.archive("waits") == await store.archive("new") == b"x"


async def test_a_tenant_who_leaves_takes_every_publication_and_no_other(stores: Stores) -> None:
    store = stores.publications
    for ticket, tenant in (("t1", ANN), ("t2", BOB)):
        await store.open(Publication(ticket, tenant, NOW, NOW))
        await store.write(tenant, ticket, 0, b"x")

    for _ in range(2):
        await store.delete_owned(ANN)

    with pytest.raises(NotFound):
        await store.get(ANN, "t1")
    assert await store.archive("t1") == b""
    assert await store.archive("t2") == b"x"
