"""Vendors publish components, flows use what was published when they began, and nobody else's secrets are seen."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace.catalog.v1 import catalog_service_pb2 as pb
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as flow_pb
from headrace.people.v1 import people_service_pb2 as people_pb
from headrace_core import bundles
from headrace_core.archives import read_archive, write_archive
from headrace_core.errors import (
    BadRequest,
    Forbidden,
    HeadraceError,
    NotFound,
    RateLimited,
    TooLarge,
    ValidationFailed,
)
from headrace_flow_manager.catalog import publishing
from headrace_flow_manager.flows.model import UsingFlow
from headrace_flow_manager.stores import sqlite
from headrace_flow_manager.stores.bundle import Stores
from headrace_flow_manager.stores.sqlite_flows import BUNDLES_SCHEMA
from headrace_runtime.sqlite import Database

from tests.contracts.flow_manager import OpenStores

from .house import ANN, START, House, load, open_house, scope
from .test_people import sign_up

SEND, HELPER = "zoo.mail.core.Send", "zoo.mail.core.Helper"
MEBIBYTE = 1024 * 1024
FLOW: dict[str, Any] = {
    "go": {"type": START},
    "send": {"type": SEND, "source": {"in": {"go": ["out"]}}},
}


def connector(body: bytes = b"1", **manifest: Any) -> dict[str, bytes]:
    """A service with two components, one of them private."""
    send = {"name": SEND, "inPorts": ["in"], "outPorts": ["out"], "version": "1.0.0", **manifest}
    described = {"label": "Mail", "category": "applications", "icon": "data:image/png;base64,AA==", "description": "d"}
    return {
        "zoo/mail/service.json": json.dumps({"name": "zoo.mail", **described}).encode(),
        "zoo/mail/bundle.json": json.dumps({"name": "zoo.mail", "version": "1.0.0"}).encode(),
        "zoo/mail/core/Send/component.json": json.dumps(send).encode(),
        "zoo/mail/core/Send/component.py": body,
        "zoo/mail/core/Helper/component.json": json.dumps(
            {"name": HELPER, "private": True, "inPorts": ["in"], "outPorts": ["out"]}
        ).encode(),
        "zoo/mail/core/Helper/Helper.js": b"module.exports = {};",
    }


async def developer(house: House, name: str = "ann", *vendors: str) -> str:
    """A new user with vendors; the id."""
    user_id: str = (await sign_up(house, name)).user.user_id
    await house.people.UpdateUser(people_pb.UpdateUserRequest(user_id=user_id, vendors=vendors, replace_vendors=True))
    return user_id


async def hand_in(house: House, tenant: str, archive: bytes) -> str:
    """Upload an archive and hand it in; the ticket."""
    ticket: str = (await house.catalog.OpenPublication(pb.OpenPublicationRequest(scope=scope(tenant)))).ticket
    for offset in range(0, len(archive), MEBIBYTE):
        piece = archive[offset : offset + MEBIBYTE]
        request = pb.WritePublicationRequest(scope=scope(tenant), ticket=ticket, offset=offset, data=piece)
        await house.catalog.WritePublication(request)
    await house.catalog.SubmitPublication(pb.SubmitPublicationRequest(scope=scope(tenant), ticket=ticket))
    return ticket


async def outcome(house: House, tenant: str, ticket: str) -> pb.Publication:
    request = pb.GetPublicationRequest(scope=scope(tenant), ticket=ticket)
    found: pb.Publication = (await house.catalog.GetPublication(request)).publication
    return found


async def publish(house: House, tenant: str, files: Mapping[str, bytes]) -> pb.Publication:
    ticket = await hand_in(house, tenant, write_archive(files))
    await house.app.publishing.round()
    return await outcome(house, tenant, ticket)


async def types(house: House, tenant: str, selector: str = "zoo") -> list[str]:
    request = pb.ListComponentsRequest(scope=scope(tenant), selector=selector, include_private=True)
    return [each.type for each in (await house.catalog.ListComponents(request)).components]


async def component(house: House, tenant: str, name: str = SEND) -> pb.Component:
    found: pb.Component = (
        await house.catalog.GetComponent(pb.GetComponentRequest(scope=scope(tenant), type=name))
    ).component
    return found


async def resolve(house: House, flow_id: str, version: int = 0) -> flow_pb2.FlowVersion:
    request = flow_pb.ResolveFlowRequest(flow_id=flow_id, version=version)
    found: flow_pb2.FlowVersion = (await house.flows.ResolveFlow(request)).version
    return found


async def content(house: House, bundle_id: str) -> dict[str, bytes]:
    request = pb.GetBundleRequest(bundle_id=bundle_id)
    return read_archive(b"".join([each.data async for each in house.catalog.GetBundle(request)]))


async def read(house: House, tenant: str, selector: str) -> dict[str, bytes]:
    request = pb.ReadComponentsRequest(scope=scope(tenant), selector=selector)
    return read_archive(b"".join([each.data async for each in house.catalog.ReadComponents(request)]))


async def remove(house: House, tenant: str, selector: str, *, force: bool = False) -> pb.RemoveComponentsResponse:
    request = pb.RemoveComponentsRequest(scope=scope(tenant), selector=selector, force=force)
    found: pb.RemoveComponentsResponse = await house.catalog.RemoveComponents(request)
    return found


async def test_what_is_published_is_there_for_everybody_with_its_content(house: House) -> None:
    ann, bob = await developer(house, "ann", "zoo"), await developer(house, "bob")

    published = await publish(house, ann, connector())

    assert (published.finished, published.error, list(published.types)) == (True, "", [HELPER, SEND])
    found = await component(house, bob)
    assert (found.root, found.language, found.version) == ("zoo/mail/core/Send", pb.LANGUAGE_PYTHON, "1.0.0")
    assert (await component(house, ann, HELPER)).language == pb.LANGUAGE_JAVASCRIPT
    assert found.bundle_id == bundles.content_id(connector())
    assert await content(house, found.bundle_id) == connector()
    apps = (await house.catalog.ListApps(pb.ListAppsRequest(scope=scope(bob)))).apps
    assert load({each.app_id: each.description_json for each in apps}["zoo.mail"])["label"] == "Mail"
    listed = (await house.catalog.ListBundles(pb.ListBundlesRequest(scope=scope(bob)))).bundles
    assert {each.name: each.version for each in listed}["zoo.mail"] == "1.0.0"


async def test_private_components_are_their_vendors_alone(house: House) -> None:
    ann, bob = await developer(house, "ann", "zoo"), await developer(house, "bob", "bobs")
    await publish(house, ann, connector())
    secret = {path: each for path, each in connector(private=True).items() if "Helper" not in path}
    secret = {path.replace("mail", "dark"): each.replace(b"mail", b"dark") for path, each in secret.items()}
    await publish(house, ann, secret)

    assert await types(house, ann) == ["zoo.dark.core.Send", HELPER, SEND]
    assert await types(house, bob) == [SEND]
    with pytest.raises(NotFound):
        await component(house, bob, HELPER)
    with pytest.raises(NotFound):
        await component(house, bob, "zoo.dark.core.Send")
    apps = (await house.catalog.ListApps(pb.ListAppsRequest(scope=scope(bob)))).apps
    listed = (await house.catalog.ListBundles(pb.ListBundlesRequest(scope=scope(bob)))).bundles
    assert not [each for each in (*(a.app_id for a in apps), *(b.name for b in listed)) if "dark" in each]
    theirs = await house.create(tenant=bob, flow={"go": {"type": START}, "x": {"type": HELPER}})
    with pytest.raises(ValidationFailed):
        await house.begin(theirs.flow_id, bob)


async def test_only_developers_publish_and_only_for_their_vendor(house: House) -> None:
    ann, bob = await developer(house, "ann", "zoo"), await developer(house, "bob")
    carl = await developer(house, "carl", "other")
    await publish(house, ann, connector())

    refused = await publish(house, carl, connector(b"evil"))

    assert refused.finished and "no developer of the vendor 'zoo'" in refused.error
    for tenant in (bob, carl):
        with pytest.raises(Forbidden):
            await remove(house, tenant, SEND)
        with pytest.raises(Forbidden):
            await read(house, tenant, SEND)
    with pytest.raises(Forbidden):
        await hand_in(house, bob, b"x")
    assert (await component(house, ann)).bundle_id == bundles.content_id(connector())


async def test_a_ticket_is_its_owners_alone(house: House) -> None:
    ann, bob = await developer(house, "ann", "zoo"), await developer(house, "bob", "zoo")
    ticket = await hand_in(house, ann, b"x")

    with pytest.raises(NotFound):
        await outcome(house, bob, ticket)
    with pytest.raises(NotFound):
        await house.catalog.SubmitPublication(pb.SubmitPublicationRequest(scope=scope(bob), ticket=ticket))
    opened = (await house.catalog.OpenPublication(pb.OpenPublicationRequest(scope=scope(ann)))).ticket
    with pytest.raises(NotFound):
        await house.catalog.WritePublication(
            pb.WritePublicationRequest(scope=scope(bob), ticket=opened, offset=0, data=b"x")
        )


async def test_verdicts_name_the_file_and_the_place_and_nothing_is_published(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    bad = {**connector(), "zoo/mail/core/Send/component.json": b'{"name": "zoo.mail.core.Sent", "outPorts": 7}'}

    refused = await publish(house, ann, bad)
    broken = await hand_in(house, ann, b"no zip")
    await house.app.publishing.round()

    assert refused.finished and refused.error.startswith("Nothing was published: zoo/mail/core/Send/component.json .")
    places = {(each.file, each.data_path) for each in refused.findings}
    assert ("zoo/mail/core/Send/component.json", ".name") in places
    assert all(each.message and each.fix for each in refused.findings)
    assert (await outcome(house, ann, broken)).findings[0].message.startswith("It is no zip archive")
    assert await types(house, ann) == []


async def test_files_that_collide_with_what_was_published_before_are_refused(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    await publish(house, ann, {**connector(), "zoo/mail/lib.js": b"1"})

    refused = await publish(house, ann, {**connector(), "zoo/mail/Lib.js": b"2"})

    assert "the same on some systems" in refused.findings[0].message
    assert (await read(house, ann, "zoo.mail"))["zoo/mail/lib.js"] == b"1"


async def test_names_that_come_with_headrace_are_taken(house: House) -> None:
    ann = await developer(house, "ann", "acme")
    files = {
        "acme/mail/core/Send/component.json": b'{"name": "acme.mail.core.Send"}',
        "acme/mail/core/Send/component.py": b"",
    }

    refused = await publish(house, ann, files)

    assert [(each.file, each.data_path) for each in refused.findings] == [
        ("acme/mail/core/Send/component.json", ".name")
    ]


async def test_the_same_content_again_changes_nothing(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    await publish(house, ann, connector())
    before = await house.app.catalog.now()

    again = await publish(house, ann, dict(reversed(connector().items())))

    assert not again.error and list(again.types) == [HELPER, SEND]
    assert await house.app.catalog.now() is before


async def test_a_flow_keeps_what_it_began_with_and_the_next_start_takes_what_is_new(house: House) -> None:
    ann, bob = await developer(house, "ann", "zoo"), await developer(house, "bob")
    await publish(house, ann, connector())
    flow = await house.create(tenant=bob, flow=FLOW)
    started = await house.begin(flow.flow_id, bob)
    assert (started.version, started.running_version, started.revision) == (1, 1, 3)

    await publish(house, ann, connector(b"2"))

    running = await resolve(house, flow.flow_id)
    (kept,) = running.components
    assert (running.version, kept.bundle_id) == (1, bundles.content_id(connector()))
    assert (kept.type, kept.root, kept.language) == (SEND, "zoo/mail/core/Send", pb.LANGUAGE_PYTHON)
    assert load(kept.manifest)["name"] == SEND
    assert await content(house, kept.bundle_id) == connector()

    await house.end(flow.flow_id, bob)
    again = await house.begin(flow.flow_id, bob)
    (new,) = (await resolve(house, flow.flow_id)).components
    (old,) = (await resolve(house, flow.flow_id, 1)).components
    assert (again.version, again.running_version) == (2, 2)
    assert (new.bundle_id, old.bundle_id) == (bundles.content_id(connector(b"2")), kept.bundle_id)
    listed = (await house.flows.ListActiveFlows(flow_pb.ListActiveFlowsRequest())).flows
    assert [each.bundle_id for each in listed[0].components] == [new.bundle_id]

    await house.end(flow.flow_id, bob)
    assert (await house.begin(flow.flow_id, bob)).version == 2, "nothing was published in between"


async def test_a_running_flow_that_is_updated_takes_what_is_new(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    await publish(house, ann, connector())
    flow = await house.create(tenant=ann, flow=FLOW)
    await house.begin(flow.flow_id, ann)
    await publish(house, ann, connector(b"2"))

    await house.update(flow.flow_id, {"flow": {**FLOW, "more": {"type": START}}}, ann, force=True)

    running = await resolve(house, flow.flow_id)
    assert running.version == 2
    assert [each.bundle_id for each in running.components] == [bundles.content_id(connector(b"2"))]


async def test_a_version_that_never_ran_is_pinned_when_it_is_asked_for(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    await publish(house, ann, connector())
    flow = await house.create(tenant=ann, flow=FLOW)

    first = await resolve(house, flow.flow_id, 1)
    await publish(house, ann, connector(b"2"))
    again = await resolve(house, flow.flow_id, 1)

    assert first.components == again.components
    assert (await house.get(flow.flow_id, ann)).revision == 1


async def test_a_trial_pins_what_is_published_now(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    await publish(house, ann, connector())
    flow = await house.create(tenant=ann, flow=FLOW)
    pin = flow_pb.PinFlowRequest(scope=scope(ann), flow_id=flow.flow_id)

    versions = [(await house.flows.PinFlow(pin)).flow.version for _ in range(2)]
    await publish(house, ann, connector(b"2"))
    versions += [(await house.flows.PinFlow(pin)).flow.version for _ in range(2)]

    assert versions == [1, 1, 2, 2]
    (found,) = (await resolve(house, flow.flow_id, 2)).components
    assert found.bundle_id == bundles.content_id(connector(b"2"))


async def test_a_removal_says_who_is_in_the_way_and_only_the_callers_own_by_name(house: House) -> None:
    ann, bob = await developer(house, "ann", "zoo"), await developer(house, "bob")
    await publish(house, ann, connector())
    mine = await house.create("mine", tenant=ann, flow=FLOW)
    theirs = await house.create("theirs", tenant=bob, flow=FLOW)
    await house.begin(theirs.flow_id, bob)

    refused = await remove(house, ann, "zoo.mail")
    helper = await remove(house, ann, HELPER)

    assert [(each.flow_id, each.name) for each in refused.flows] == [(mine.flow_id, "mine")]
    assert (list(refused.types), refused.flows_of_others) == ([], 1)
    assert list(helper.types) == [HELPER]
    assert await types(house, ann) == [SEND]

    forced = await remove(house, ann, "zoo.mail", force=True)

    assert list(forced.types) == [SEND]
    assert await types(house, ann) == []
    (kept,) = (await resolve(house, theirs.flow_id)).components
    assert await content(house, kept.bundle_id) == connector()
    await house.end(theirs.flow_id, bob)
    with pytest.raises(ValidationFailed, match=SEND):
        await house.begin(theirs.flow_id, bob)


async def test_utilities_of_the_other_vendor_are_found_under_both_names(house: House) -> None:
    ann = await developer(house, "ann", "appmixer")
    theirs, ours = "appmixer.utils.sums.Add", "headrace.utils.sums.Add"
    folder = theirs.replace(".", "/")
    files = {f"{folder}/component.json": json.dumps({"name": theirs}).encode(), f"{folder}/component.py": b""}
    assert list((await publish(house, ann, files)).types) == [theirs]
    flow = await house.create(tenant=ann, flow={"go": {"type": START}, "add": {"type": theirs}})

    refused = await remove(house, ann, "appmixer.utils")

    assert [each.flow_id for each in refused.flows] == [flow.flow_id]
    assert [(await component(house, ann, name)).root for name in (theirs, ours)] == [folder, folder]
    (found,) = (await resolve(house, flow.flow_id, 1)).components
    assert (found.type, found.root) == (ours, folder)


@pytest.mark.parametrize("selector", ["zoo.mail.core.Nothing", "zoo.nothing", "zoo.mai"])
async def test_what_was_not_published_is_not_found(house: House, selector: str) -> None:
    ann = await developer(house, "ann", "zoo")
    await publish(house, ann, connector())

    with pytest.raises(NotFound):
        await remove(house, ann, selector)
    with pytest.raises(NotFound):
        await read(house, ann, selector)


@pytest.mark.parametrize("selector", ["zoo", "zoo.", "zoo..mail", "zoo.mail."])
async def test_a_selector_names_a_service_at_least(house: House, selector: str) -> None:
    ann = await developer(house, "ann", "zoo")

    with pytest.raises(BadRequest):
        await remove(house, ann, selector)


async def test_what_was_published_can_be_read_by_its_vendor_and_published_again(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    await publish(house, ann, connector())

    whole, one = await read(house, ann, "zoo.mail"), await read(house, ann, SEND)

    assert whole == connector()
    assert sorted(one) == ["zoo/mail/core/Send/component.json", "zoo/mail/core/Send/component.py"]
    assert not (await publish(house, ann, {**one, "zoo/mail/core/Send/component.py": b"2"})).error
    assert await read(house, ann, "zoo.mail") == connector(b"2")


async def test_uploads_have_limits(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    ticket = (await house.catalog.OpenPublication(pb.OpenPublicationRequest(scope=scope(ann)))).ticket

    async def write(offset: int, data: bytes) -> None:
        request = pb.WritePublicationRequest(scope=scope(ann), ticket=ticket, offset=offset, data=data)
        await house.catalog.WritePublication(request)

    errors: list[tuple[int, bytes, type[HeadraceError]]] = [
        (0, b"", BadRequest),
        (7, b"x", BadRequest),
        (-MEBIBYTE, b"x", BadRequest),
        (0, bytes(MEBIBYTE + 1), BadRequest),
        (10 * MEBIBYTE, b"x", TooLarge),
    ]
    for offset, data, error in errors:
        with pytest.raises(error):
            await write(offset, data)
    for _ in range(publishing.MAX_WAITING - 1):
        await house.catalog.OpenPublication(pb.OpenPublicationRequest(scope=scope(ann)))
    with pytest.raises(RateLimited):
        await house.catalog.OpenPublication(pb.OpenPublicationRequest(scope=scope(ann)))


async def test_a_service_that_grows_too_large_piece_by_piece_is_refused(house: House) -> None:
    ann = await developer(house, "ann", "zoo")
    for number in range(4):
        last = await publish(house, ann, {**connector(), f"zoo/mail/pad{number}.bin": numbers(number)})

    assert "With what was published before" in last.findings[0].message
    assert await read(house, ann, "zoo.mail") == {
        **connector(),
        **{f"zoo/mail/pad{number}.bin": numbers(number) for number in range(3)},
    }


def numbers(seed: int) -> bytes:
    """7 MiB that pack to a fifth."""
    return b"".join(b"%d:%d;" % (seed, each) for each in range(900_000))[: 7 * MEBIBYTE]


async def test_work_on_record_is_carried_on_by_another_flow_manager(open_stores: OpenStores, tmp_path: Path) -> None:
    async with open_stores(tmp_path) as stores:
        async with open_house(stores) as house:
            ann = await developer(house, "ann", "zoo")
            ticket = await hand_in(house, ann, write_archive(connector()))
            assert not (await outcome(house, ann, ticket)).finished

        async with open_house(stores) as house:
            await house.app.publishing.round()

            assert (await outcome(house, ann, ticket)).finished
            assert await types(house, ann) == [HELPER, SEND]


class Died(Exception):
    """What stands for a process that was killed."""


class Dying:
    """A store whose process dies before or after one of its calls."""

    def __init__(self, store: object, left: list[int], *, after: bool) -> None:
        self._store, self._left, self._after = store, left, after

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)

        async def counted(*given: Any) -> Any:
            self._left[0] -= 1
            if self._left[0] == 0 and not self._after:
                raise Died
            answer = await call(*given)
            if self._left[0] == 0:
                raise Died
            return answer

        return counted


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_wherever_a_flow_manager_dies_another_one_ends_the_publication_once(
    open_stores: OpenStores, tmp_path: Path, after: bool
) -> None:
    async with open_stores(tmp_path) as stores:
        async with open_house(stores) as house:
            ann = await developer(house, "ann", "zoo")
        deaths, calls = 0, 1
        while deaths == calls - 1:
            left = [0]
            dying: Any = {name: Dying(getattr(stores, name), left, after=after) for name in ("bundles", "publications")}
            async with open_house(replace(stores, **dying)) as house:
                ticket = await hand_in(house, ann, write_archive(connector(b"%d" % calls)))
                left[0] = calls
                try:
                    await house.app.publishing.round()
                except Died:
                    deaths += 1
            async with open_house(stores) as house:
                await house.app.publishing.round()

                ended = await outcome(house, ann, ticket)
                assert (ended.finished, ended.error, list(ended.types)) == (True, "", [HELPER, SEND]), calls
                assert (await component(house, ann)).bundle_id == bundles.content_id(connector(b"%d" % calls))
                assert (await stores.bundles.published()).generation == calls
                calls += 1
        assert deaths > 6


async def test_what_one_flow_manager_publishes_another_has_at_once(open_stores: OpenStores, tmp_path: Path) -> None:
    async with open_stores(tmp_path) as stores, open_house(stores) as one, open_house(stores) as two:
        ann = await developer(one, "ann", "zoo")
        assert await types(two, ann) == []
        for body in (b"1", b"2"):
            assert not (await publish(one, ann, connector(body))).error
            assert (await component(two, ann)).bundle_id == bundles.content_id(connector(body))
        flow = await two.create(tenant=ann, flow=FLOW)
        await two.begin(flow.flow_id, ann)
        assert (await resolve(one, flow.flow_id)).components[0].bundle_id == bundles.content_id(connector(b"2"))

        await remove(two, ann, SEND, force=True)

        assert await types(one, ann) == [HELPER]


async def test_of_many_who_publish_at_once_nobodys_files_are_lost(open_stores: OpenStores, tmp_path: Path) -> None:
    async with open_stores(tmp_path) as stores, open_house(stores) as one, open_house(stores) as two:
        ann = await developer(one, "ann", "zoo")
        tickets = []
        for number in range(6):
            name = f"zoo.mail.core.C{number}"
            files = {
                f"zoo/mail/core/C{number}/component.json": json.dumps({"name": name}).encode(),
                f"zoo/mail/core/C{number}/component.py": b"",
            }
            tickets.append(await hand_in(one, ann, write_archive(files)))

        async with asyncio.timeout(30):
            while not all([(await outcome(one, ann, each)).finished for each in tickets]):
                await asyncio.gather(one.app.publishing.round(), two.app.publishing.round())

        assert [(await outcome(one, ann, each)).error for each in tickets] == [""] * 6
        assert await types(two, ann) == [f"zoo.mail.core.C{number}" for number in range(6)]


async def test_contents_that_nobody_uses_go_after_a_while_and_others_stay(
    open_stores: OpenStores, tmp_path: Path
) -> None:
    async with open_stores(tmp_path) as stores, open_house(stores) as house:
        ann = await developer(house, "ann", "zoo")
        for body in (b"1", b"2", b"3"):
            await publish(house, ann, connector(body))
            if body == b"1":
                flow = await house.create(tenant=ann, flow=FLOW)
                await house.begin(flow.flow_id, ann)

        await _prune_until_nothing_goes(house)

        assert await _kept(stores) == {bundles.content_id(connector(each)) for each in (b"1", b"3")}
        with pytest.raises(NotFound):
            await content(house, bundles.content_id(connector(b"2")))
        await house.delete(flow.flow_id, ann)
        await _prune_until_nothing_goes(house)
        assert await _kept(stores) == {bundles.content_id(connector(b"3"))}
        assert not (await publish(house, ann, connector(b"2"))).error
        assert await content(house, bundles.content_id(connector(b"2"))) == connector(b"2")


async def _prune_until_nothing_goes(house: House) -> None:
    await house.app.publishing.prune()
    house.clock.advance(timedelta(hours=1, seconds=1).total_seconds())
    await house.app.publishing.prune()


async def _kept(stores: Stores) -> set[str]:
    return {each.content_id for each in await stores.bundles.marks()}


async def test_a_bundle_that_is_not_there_is_not_found(house: House) -> None:
    for bundle_id in ("", "0" * 64, "x"):
        with pytest.raises(NotFound):
            await content(house, bundle_id)


async def test_what_flows_of_an_earlier_release_use_is_known(tmp_path: Path) -> None:
    file, before = tmp_path / "flow_manager.db", sqlite.MIGRATIONS[: sqlite.MIGRATIONS.index(BUNDLES_SCHEMA)]
    await (await Database.open(file, before)).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO flows (flow_id, tenant_id, name, stage, version, running_version, activated_version,"
            " activation_id, revision, record, created_at, modified_at, stage_error, removed, settled)"
            " VALUES ('f', ?, 'old', 'stopped', 1, 0, 0, '', 1, '{}', 0, 0, '', 0, 1)",
            (ANN,),
        )
        connection.execute(
            "INSERT INTO flow_versions (flow_id, version, descriptor, label, created_at) VALUES ('f', 1, ?, '', 0)",
            (json.dumps({**FLOW, "odd": 7, "odder": {"type": 7}, "again": FLOW["send"]}),),
        )

    stores = await sqlite.open_stores(file)

    assert await stores.directory.using("zoo.mail", 10) == [UsingFlow(ANN, "f", "old")]
    await stores.close()
