"""A task is decided once, by its approver, in time; components hear of its end once, whatever dies in between."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace.people.v1 import people_service_pb2 as people_pb
from headrace.task.v1 import task_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RevisionConflict,
    Unauthenticated,
    Unavailable,
    Unsupported,
    ValidationFailed,
)
from headrace_flow_manager.tasks.model import Viewer
from headrace_runtime.mail import MailSettings, SmtpMail

from tests.contracts.flow_manager import OpenStores
from tests.mailbox import open_mailbox

from .house import ANN, BOB, House, dump, load, open_house, scope

TASK: dict[str, Json] = {"title": "Pay it?", "approver": "Eve@Example.com", "requester": "ron@example.com"}


def in_a_minute(house: House) -> str:
    return (house.clock.now() + timedelta(minutes=1)).isoformat()


async def create(house: House, tenant: str = ANN, **more: Json) -> Any:
    document = dump({**TASK, **more})
    return await house.tasks.CreateTask(pb.CreateTaskRequest(scope=scope(tenant), document=document))


def by(secret: str = "", user_id: str = "") -> pb.TaskViewer:
    return pb.TaskViewer(scope=scope(user_id) if user_id else None, secret=secret)


async def get(house: House, task_id: str, viewer: pb.TaskViewer) -> Any:
    return (await house.tasks.GetTask(pb.GetTaskRequest(viewer=viewer, task_id=task_id))).task


async def decide(house: House, task_id: str, viewer: pb.TaskViewer, *, approves: bool = True, revision: int = 0) -> Any:
    request = pb.DecideTaskRequest(viewer=viewer, task_id=task_id, approves=approves, expected_revision=revision)
    return (await house.tasks.DecideTask(request)).task


async def change(house: House, task_id: str, viewer: pb.TaskViewer, **changes: Json) -> Any:
    return await house.tasks.UpdateTask(
        pb.UpdateTaskRequest(viewer=viewer, task_id=task_id, changes=dump(dict(changes)))
    )


async def user(house: House, name: str) -> str:
    request = people_pb.SignUpRequest(username=name, email=f"{name}@example.com", password="correct horse")
    return str((await house.people.SignUp(request)).user.user_id)


async def running(house: House, tenant: str = ANN) -> str:
    flow = await house.create(tenant=tenant)
    await house.begin(flow.flow_id, tenant)
    return str(flow.flow_id)


async def hook(house: House, task_id: str, flow_id: str, tenant: str = ANN) -> Any:
    request = pb.AddTaskHookRequest(
        scope=scope(tenant), task_id=task_id, url="https://x.example/", flow_id=flow_id, node_id="go"
    )
    return (await house.tasks.AddTaskHook(request)).hook


def heard(house: House) -> list[tuple[str, str, Json]]:
    """What components were told: event id, port, and how the task ended."""
    events = [(each.event_id, each.port, load(each.content)) for each in house.execution.events]
    return [(event_id, port, content["data"]["status"]) for event_id, port, content in events]  # type: ignore[index,call-overload]  # as sent


async def test_who_holds_a_secret_reads_and_only_the_approver_decides(house: House) -> None:
    made = await create(house, description="All of it")
    task_id, eve, ron = made.task.task_id, by(made.secrets.approver), by(made.secrets.requester)

    assert (await get(house, task_id, ron)).is_approver is False
    assert (await get(house, task_id, eve)).is_approver is True
    for viewer in (ron, by(user_id=ANN)):
        with pytest.raises(Forbidden):
            await decide(house, task_id, viewer)
    for viewer in (by("x" * 43), by(user_id=BOB), by("x", BOB)):
        with pytest.raises(NotFound):
            await get(house, task_id, viewer)
    with pytest.raises(Unauthenticated):
        await get(house, task_id, by())
    approved = await decide(house, task_id, eve)
    assert (approved.status, approved.revision) == (pb.TASK_STATUS_APPROVED, 2)
    assert approved.HasField("decided_at")


async def test_an_approver_with_an_account_needs_no_secret(house: House) -> None:
    eve, ron = await user(house, "eve"), await user(house, "ron")
    task_id = (await create(house)).task.task_id

    assert (await get(house, task_id, by(user_id=ron))).title == "Pay it?"
    with pytest.raises(Forbidden):
        await decide(house, task_id, by(user_id=ron))
    assert (await decide(house, task_id, by(user_id=eve), approves=False)).status == pb.TASK_STATUS_REJECTED


async def test_a_task_is_decided_once(house: House) -> None:
    made = await create(house)
    eve = by(made.secrets.approver)

    results = await asyncio.gather(
        *(decide(house, made.task.task_id, eve, approves=bool(number % 2)) for number in range(6)),
        return_exceptions=True,
    )

    assert sum(isinstance(each, Conflict) for each in results) == 5
    with pytest.raises(Conflict, match="already"):
        await decide(house, made.task.task_id, eve)
    with pytest.raises(Conflict):
        await change(house, made.task.task_id, by(user_id=ANN), title="Else")


async def test_what_was_decided_on_an_older_text_is_refused(house: House) -> None:
    made = await create(house)
    eve = by(made.secrets.approver)
    changed = await change(house, made.task.task_id, by(made.secrets.requester), title="Pay twice?")

    with pytest.raises(RevisionConflict):
        await decide(house, made.task.task_id, eve, revision=made.task.revision)
    assert (await get(house, made.task.task_id, eve)).title == "Pay twice?"
    assert (await decide(house, made.task.task_id, eve, revision=changed.task.revision)).revision == 3


async def test_an_approver_cannot_change_what_is_asked_nor_a_requester_who_is(house: House) -> None:
    made = await create(house)
    with pytest.raises(Forbidden):
        await change(house, made.task.task_id, by(made.secrets.approver), title="Pay little?")
    with pytest.raises(Forbidden):
        await change(house, made.task.task_id, by(made.secrets.requester), approver="ron@example.com")

    same = await change(house, made.task.task_id, by(user_id=ANN), approver="EVE@example.com", description=None)
    moved = await change(house, made.task.task_id, by(user_id=ANN), approver="kim@example.com")

    assert (same.secrets.approver, moved.secrets.requester) == ("", "")
    with pytest.raises(NotFound):
        await get(house, made.task.task_id, by(made.secrets.approver))
    assert (await decide(house, made.task.task_id, by(moved.secrets.approver))).approver == "kim@example.com"


async def test_nobody_decides_after_the_time_is_over(house: House) -> None:
    made = await create(house, decisionBy=in_a_minute(house))
    eve = by(made.secrets.approver)
    house.clock.advance(59)
    assert (await get(house, made.task.task_id, eve)).status == pb.TASK_STATUS_PENDING

    house.clock.advance(1)

    assert (await get(house, made.task.task_id, eve)).status == pb.TASK_STATUS_DUE
    with pytest.raises(Conflict, match="time"):
        await decide(house, made.task.task_id, eve)
    with pytest.raises(Conflict):
        await change(house, made.task.task_id, by(user_id=ANN), decisionBy=None)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": 5}, "title"),
        ({"description": "x" * 20_001}, "description"),
        ({"approver": "eve"}, "approver"),
        ({"approver": "eve@a\nb"}, "approver"),
        ({"requester": "x" * 255 + "@b"}, "requester"),
        ({"decisionBy": "soon"}, "decisionBy"),
        ({"decisionBy": "1969-12-31T23:59:59Z"}, "decisionBy"),
        ({"decisionBy": 5}, "decisionBy"),
        ({"decisionBy": "9999-12-31T23:59:59-23:59"}, "decisionBy"),
        ({"status": "approved"}, "status"),
    ],
)
async def test_what_a_task_cannot_hold_is_named(house: House, wrong: dict[str, Json], field: str) -> None:
    with pytest.raises(ValidationFailed) as failed:
        await create(house, **wrong)

    assert [each.field for each in failed.value.problems] == [field]


async def test_lists_hold_what_one_is_something_to(house: House) -> None:
    eve = await user(house, "eve")
    first, second = await create(house), await create(house, requester="eve@example.com", approver="kim@example.com")
    await create(house, BOB, approver="kim@example.com")

    async def ids(viewer: pb.TaskViewer, role: Any = pb.TASK_ROLE_UNSPECIFIED) -> set[str]:
        answer = await house.tasks.ListTasks(pb.ListTasksRequest(viewer=viewer, role=role))
        assert answer.total == len(answer.tasks)
        return {each.task_id for each in answer.tasks}

    assert await ids(by(user_id=eve)) == {first.task.task_id, second.task.task_id} == await ids(by(user_id=ANN))
    assert await ids(by(user_id=eve), pb.TASK_ROLE_APPROVER) == {first.task.task_id}
    assert await ids(by(user_id=eve), pb.TASK_ROLE_REQUESTER) == {second.task.task_id}
    assert await ids(by(user_id=eve), pb.TASK_ROLE_CREATOR) == set()
    assert await ids(by(second.secrets.approver, eve)) == {second.task.task_id}
    assert await ids(by(second.secrets.approver), pb.TASK_ROLE_REQUESTER) == set()


async def test_a_component_is_told_once_how_a_task_ended(house: House) -> None:
    flow_id, made = await running(house), await create(house)
    task_id = made.task.task_id
    before = await hook(house, task_id, flow_id)
    await house.app.telling.round()
    assert heard(house) == []

    await decide(house, task_id, by(made.secrets.approver))
    for _ in range(2):
        await house.app.telling.round()
    after = await hook(house, task_id, flow_id)
    await house.app.telling.round()

    assert heard(house) == [(f"task:{each.hook_id}", "webhook", "approved") for each in (before, after)]


async def test_a_task_that_is_due_is_told_of_and_a_hook_that_was_taken_back_is_not(house: House) -> None:
    flow_id = await running(house)
    made = await create(house, decisionBy=in_a_minute(house))
    kept, gone = await hook(house, made.task.task_id, flow_id), await hook(house, made.task.task_id, flow_id)
    await house.tasks.RemoveTaskHook(pb.RemoveTaskHookRequest(scope=scope(ANN), hook_id=gone.hook_id))
    for tenant, hook_id in ((ANN, gone.hook_id), (BOB, kept.hook_id), (ANN, "none"), (ANN, made.task.task_id)):
        with pytest.raises(NotFound):
            await house.tasks.RemoveTaskHook(pb.RemoveTaskHookRequest(scope=scope(tenant), hook_id=hook_id))

    house.clock.advance(60)
    await house.app.telling.round()

    assert heard(house) == [(f"task:{kept.hook_id}", "webhook", "due")]


async def test_what_cannot_be_told_now_is_told_later_and_what_never_can_is_not(house: House) -> None:
    flow_id, other = await running(house), await running(house)
    made = await create(house)
    first, second = await hook(house, made.task.task_id, flow_id), await hook(house, made.task.task_id, other)
    house.execution.failures = [Unavailable("away")]
    house.execution.refusals = {other: "not_found"}
    await decide(house, made.task.task_id, by(made.secrets.approver))

    await house.app.telling.round()
    assert heard(house) == []
    house.clock.advance(60)
    for _ in range(3):
        await house.app.telling.round()

    assert [each[0] for each in heard(house)] == [f"task:{first.hook_id}"]
    assert second.state == pb.TASK_HOOK_STATE_PENDING


async def test_an_end_that_nobody_was_told_of_before_a_restart_is_told_afterwards(
    open_stores: OpenStores, tmp_path: Path
) -> None:
    async with open_stores(tmp_path) as stores:
        async with open_house(stores) as house:
            made = await create(house)
            told = await hook(house, made.task.task_id, await running(house))
            await decide(house, made.task.task_id, by(made.secrets.approver), approves=False)

        async with open_house(stores) as house:
            await house.app.telling.round()

            assert heard(house) == [(f"task:{told.hook_id}", "webhook", "rejected")]


async def test_only_ones_own_task_and_flow_are_put_together(house: House) -> None:
    flow_id, theirs = await running(house), await running(house, BOB)
    task_id = (await create(house)).task.task_id

    with pytest.raises(NotFound):
        await hook(house, task_id, theirs)
    with pytest.raises(NotFound):
        await hook(house, task_id, theirs, BOB)
    for _ in range(10):
        await hook(house, task_id, flow_id)
    with pytest.raises(Conflict):
        await hook(house, task_id, flow_id)
    with pytest.raises(NotFound):
        await house.tasks.DeleteTask(pb.DeleteTaskRequest(scope=scope(BOB), task_id=task_id))
    await house.tasks.DeleteTask(pb.DeleteTaskRequest(scope=scope(ANN), task_id=task_id))
    with pytest.raises(NotFound):
        await get(house, task_id, by(user_id=ANN))


async def test_no_secret_is_kept_as_it_is(open_stores: OpenStores, tmp_path: Path) -> None:
    async with open_stores(tmp_path) as stores, open_house(stores) as house:
        made = await create(house)
        kept = await stores.tasks.get(Viewer(ANN), made.task.task_id)

        for secret in (made.secrets.approver, made.secrets.requester):
            assert len(secret) >= 43
            assert secret not in repr(kept) and secret.encode() not in repr(kept).encode()


async def test_a_repeated_request_is_one_task_with_new_secrets_and_one_listener(house: House) -> None:
    flow_id = await running(house)
    request = pb.CreateTaskRequest(
        scope=scope(ANN), document=dump(TASK), request_id="step.1", hook_url="u", flow_id=flow_id, node_id="n"
    )

    first, second = [await house.tasks.CreateTask(request) for _ in range(2)]
    theirs = await create(house, BOB)
    request.request_id = "step.2"
    other = await house.tasks.CreateTask(request)

    assert first.task.task_id == second.task.task_id
    assert len({each.task.task_id for each in (first, theirs, other)}) == 3
    with pytest.raises(NotFound):
        await get(house, first.task.task_id, by(first.secrets.approver))
    await decide(house, first.task.task_id, by(second.secrets.approver))
    third = await house.tasks.CreateTask(
        pb.CreateTaskRequest(scope=scope(ANN), document=dump(TASK), request_id="step.1")
    )
    assert third.task.status == pb.TASK_STATUS_APPROVED, "a step that comes back late hears how it ended"
    await house.app.telling.round()
    assert len(heard(house)) == 1


async def test_a_listener_is_of_ones_own_flow(house: House) -> None:
    theirs = await running(house, BOB)
    request = pb.CreateTaskRequest(scope=scope(ANN), document=dump(TASK), hook_url="u", flow_id=theirs, node_id="n")

    with pytest.raises(NotFound):
        await house.tasks.CreateTask(request)


async def test_the_approver_of_ones_own_pending_task_is_mailed(open_stores: OpenStores, tmp_path: Path) -> None:
    async with open_mailbox() as mailbox, open_stores(tmp_path) as stores:
        mail = SmtpMail(MailSettings(url=mailbox.url))
        async with open_house(stores, mail=mail) as house:
            task_id = (made := await create(house, title="Pay\r\nBcc: all@example.com?")).task.task_id
            request = pb.MailTaskRequest(scope=scope(ANN), task_id=task_id, link="https://here.example/x?secret=s")

            await house.tasks.MailTask(request)
            async with asyncio.timeout(10):
                letter = await mailbox.letters.get()

            assert (letter["To"], letter["Subject"]) == ("Eve@Example.com", "Pay Bcc: all@example.com?")
            assert letter["Bcc"] is None
            assert "https://here.example/x?secret=s" in letter.get_content()
            with pytest.raises(NotFound):
                await house.tasks.MailTask(pb.MailTaskRequest(scope=scope(BOB), task_id=task_id, link="x"))
            await decide(house, task_id, by(made.secrets.approver))
            with pytest.raises(Conflict):
                await house.tasks.MailTask(request)
            assert mailbox.letters.empty()


async def test_no_mail_goes_out_where_no_server_is_named(house: House) -> None:
    task_id = (await create(house)).task.task_id

    with pytest.raises(Unsupported, match="HEADRACE_SMTP_URL"):
        await house.tasks.MailTask(pb.MailTaskRequest(scope=scope(ANN), task_id=task_id, link="x"))
