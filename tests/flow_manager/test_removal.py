"""A user leaves: everything of theirs goes, nothing of anybody else, whatever dies on the way."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from headrace.file.v1 import file_service_pb2 as file_pb
from headrace.people.v1 import people_pb2
from headrace.people.v1 import people_service_pb2 as pb
from headrace.store.v1 import store_service_pb2 as store_pb
from headrace_core.errors import BadRequest, Conflict, NotFound, Unauthenticated, Unavailable
from headrace_flow_manager.query import ListQuery
from headrace_flow_manager.stores.bundle import Stores
from headrace_flow_manager.tasks.model import Viewer

from tests.contracts.flow_manager import OpenStores

from .house import House, open_house, scope
from .test_people import sign_up


async def delete(house: House, user_id: str) -> Any:
    return (await house.people.DeleteUser(pb.DeleteUserRequest(user_id=user_id))).departure


async def state(house: House, begun: Any) -> Any:
    request = pb.GetDepartureRequest(user_id=begun.user_id, ticket=begun.ticket)
    return (await house.people.GetDeparture(request)).departure


async def furnish(house: House, tenant: str) -> str:
    """Give a user one of everything; the running flow's id."""
    flow = await house.create(tenant=tenant)
    await house.begin(flow.flow_id, tenant)
    await house.create(name="two", tenant=tenant)
    await house.stores.CreateStore(store_pb.CreateStoreRequest(scope=scope(tenant), name="s"))
    opened = await house.files.OpenFile(file_pb.OpenFileRequest(scope=scope(tenant), filename="a.txt"))
    await house.files.FinishFile(file_pb.FinishFileRequest(scope=scope(tenant), upload_id=opened.upload_id))
    await house.app.tasks.create(tenant, {"title": "t", "approver": "eve@x.example", "requester": "ron@x.example"})
    return flow.flow_id


async def kept(stores: Stores, tenant: str) -> list[int]:

    pages = (stores.flows, stores.data_stores, stores.files)
    tasks = await stores.tasks.page(Viewer(tenant), None, ListQuery(), datetime.now(UTC))
    return [*[(await each.page(tenant, ListQuery())).total for each in pages], tasks.total]


async def test_everything_of_a_user_goes_and_nothing_of_another(open_stores: OpenStores, tmp_path: Any) -> None:
    async with open_stores(tmp_path) as stores, open_house(stores) as house:
        ann, bob = await sign_up(house), await sign_up(house, "bob")
        running = [await furnish(house, each.user.user_id) for each in (ann, bob)]

        begun = await delete(house, ann.user.user_id)
        again = await delete(house, ann.user.user_id)
        with pytest.raises(Unauthenticated):
            await house.people.Authenticate(pb.AuthenticateRequest(token=ann.token))
        await house.app.removal.round()

        ended = await state(house, begun)
        assert again.ticket == begun.ticket
        assert ended.status == people_pb2.DEPARTURE_STATUS_COMPLETED
        assert ended.steps_done == ended.steps_total > 4
        assert await kept(stores, ann.user.user_id) == [0, 0, 0, 0]
        assert await kept(stores, bob.user.user_id) == [2, 1, 1, 1]
        heard = [call[0] for call in house.execution.calls if call[1] == running[0]]
        assert heard == ["activate", "deactivate", "forget"]
        assert running[1] not in [call[1] for call in house.execution.calls if call[0] != "activate"]
        assert set(house.log.forgotten) == {ann.user.user_id}
        with pytest.raises(NotFound):
            await house.people.GetUser(pb.GetUserRequest(user_id=ann.user.user_id))
        with pytest.raises(NotFound):
            await delete(house, ann.user.user_id)
        await sign_up(house)  # the name is free again


async def test_a_removal_goes_on_where_another_process_died(open_stores: OpenStores, tmp_path: Any) -> None:
    async with open_stores(tmp_path) as stores:
        async with open_house(stores) as house:
            ann = await sign_up(house)
            await furnish(house, ann.user.user_id)
            begun = await delete(house, ann.user.user_id)
            house.execution.failures = [Unavailable("away") for _ in range(3)]
            await house.app.removal.round()
            assert (await state(house, begun)).status == people_pb2.DEPARTURE_STATUS_IN_PROGRESS

        async with open_house(stores) as house:
            await house.app.lifecycle.reconcile()
            await house.app.removal.round()

            assert (await state(house, begun)).status == people_pb2.DEPARTURE_STATUS_COMPLETED
            assert await kept(stores, ann.user.user_id) == [0, 0, 0, 0]


async def test_a_step_that_is_refused_for_good_fails_the_removal_and_it_can_be_asked_for_again(house: House) -> None:
    ann = await sign_up(house)
    house.log.failures = [BadRequest("no such thing")]
    begun = await delete(house, ann.user.user_id)

    await house.app.removal.round()
    failed = await state(house, begun)
    again = await delete(house, ann.user.user_id)
    await house.app.removal.round()

    assert (failed.status, failed.error) == (people_pb2.DEPARTURE_STATUS_FAILED, "no such thing")
    assert again.ticket != begun.ticket
    assert (await state(house, again)).status == people_pb2.DEPARTURE_STATUS_COMPLETED


async def test_the_last_administrator_cannot_be_removed(house: House) -> None:
    admin = await house.app.people.ensure_administrator("admin@example.com", "correct horse")
    assert admin is not None

    with pytest.raises(Conflict):
        await delete(house, admin.user_id)
    assert (await house.app.people.get(admin.user_id)).active


async def test_a_removal_that_a_release_with_fewer_steps_began_is_done_to_the_end(house: House) -> None:
    ann = await sign_up(house)
    begun = await delete(house, ann.user.user_id)
    kept = await house.app.removal.get(ann.user.user_id, begun.ticket)
    await house.app.removal._departures.save(replace(kept, steps_total=3, steps_done=2))

    await house.app.removal.round()

    ended = await state(house, begun)
    assert ended.status == people_pb2.DEPARTURE_STATUS_COMPLETED
    assert ended.steps_done == ended.steps_total == begun.steps_total
    with pytest.raises(NotFound):
        await house.people.GetUser(pb.GetUserRequest(user_id=ann.user.user_id))
