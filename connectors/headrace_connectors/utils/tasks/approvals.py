"""How a run waits for a decision, and goes on with it.

The task is the truth: whatever calls the webhook only says that it is time to look. A timeout keeps the run waiting;
the webhook wakes it. Each timeout is noted before the task is looked at, so that an end is either seen then or finds
the timeout to wake.
"""

from __future__ import annotations

from datetime import timedelta

from headrace_core import Json
from headrace_sdk import CancelError, Context, JsonObject
from headrace_sdk.reading import as_instant, as_list, as_object, as_text

LONGEST_WAIT = timedelta(days=30)
LATE = timedelta(minutes=1)
"""How long after the time of a task it is looked at: who keeps tasks marks it first."""

FIELDS = ("title", "description", "requester", "approver")


async def ask(context: Context) -> JsonObject:
    """The task that the message asks for. A repeated step asks for the same one, with new secrets."""
    given = as_object(context.content)
    document: dict[str, Json] = {name: as_text(given.get(name)).strip() for name in FIELDS}
    until = as_instant(given.get("decisionBy"))
    if until is None:
        raise CancelError("The field decisionBy is no time: write it like 2026-01-31T08:30:00Z.")
    return await context.tasks.create({**document, "decisionBy": until.isoformat()})


async def wait(context: Context, task_id: str) -> None:
    """Send how the task ended, or wait on."""
    task = await context.tasks.get(task_id)
    if task["status"] == "pending":
        due = as_instant(task["decisionBy"])
        pause = LONGEST_WAIT if due is None else max(LATE, min(LONGEST_WAIT, due - context.now + LATE))
        timeout_id = await context.set_timeout({"taskId": task_id}, pause)
        await context.state.add_to_set(_waits(task_id), timeout_id)
        task = await context.tasks.get(task_id)
        if task["status"] == "pending":
            return
        await context.clear_timeout(timeout_id)
    await context.send_json(told(task), as_text(task["status"]))
    await context.state.unset(_waits(task_id))


async def look(context: Context, task_id: str) -> None:
    """Wake the run that waits for this task of the tenant, if it has ended. What nobody waits for is passed over."""
    waits = as_list(await context.state.get(_waits(task_id)))
    if waits and (await context.tasks.get(task_id))["status"] != "pending":
        for timeout_id in waits:
            await context.wake(as_text(timeout_id), {"taskId": task_id})


def told(task: JsonObject) -> JsonObject:
    """A task as it leaves the node."""
    names = ("title", "description", "status", "approver", "requester", "decisionBy", "decisionMade")
    return {"id": task["taskId"], **{name: task[name] for name in names}}


def _waits(task_id: str) -> str:
    return f"waits for {task_id}"
