"""A decision by mail."""

from urllib.parse import urlencode

from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_instant, as_object, as_text

from headrace_connectors.utils import showing
from headrace_connectors.utils.showing import Asked, words
from headrace_connectors.utils.tasks import approvals

DECISIONS = {"approve": True, "reject": False}


class RequestApprovalEmail(Component):
    """Mails a link to a page of its own, on which the approver decides; goes on when they have, or it is too late.

    Opening the page decides nothing: programs that look through mail open links, too.
    """

    answers_caller = True

    async def receive(self, context: Context) -> None:
        if context.port == "webhook":
            await _answer(context, showing.asked(context.content))
        elif context.port == "task":
            task = await approvals.ask(context)
            task_id = as_text(task["taskId"])
            key = urlencode({"task": task_id, "secret": as_text(task["approverSecret"])})
            await context.tasks.mail(task_id, f"{context.webhook_url()}?{key}")
            await approvals.wait(context, task_id)
        else:
            await approvals.wait(context, as_text(as_object(context.content).get("taskId")))


async def _answer(context: Context, asked: Asked) -> None:
    given = asked.query if asked.is_read else asked.data
    task_id, secret = as_text(given.get("task")), as_text(given.get("secret"))
    if not secret:
        # Whoever keeps the tasks says that one has ended.
        await approvals.look(context, as_text(asked.data.get("taskId")))
        await context.response({})
        return
    try:
        await _show(context, asked, task_id, secret)
    except CancelError as error:
        await showing.say(context, "This cannot be decided", error.message, status=404)


async def _show(context: Context, asked: Asked, task_id: str, secret: str) -> None:
    task = await context.tasks.get(task_id, secret)
    decision = as_text(asked.data.get("decision"))
    if not asked.is_read and decision in DECISIONS and task["status"] == "pending":
        task = await context.tasks.decide(task_id, secret, approves=DECISIONS[decision])
        await approvals.look(context, task_id)
    title = as_text(task["title"])
    if task["status"] != "pending":
        await showing.say(context, title, f"This is {as_text(task['status'])}. There is nothing more to do.")
    elif not task["isApprover"]:
        await showing.say(context, title, "Nobody has decided yet.")
    else:
        await showing.show(context, title, _form(task, task_id, secret))


def _form(task: JsonObject, task_id: str, secret: str) -> str:
    due = as_instant(task["decisionBy"])
    until = "" if due is None else f"<p><small>Decide by {words(f'{due:%Y-%m-%d %H:%M} UTC')}.</small></p>"
    return (
        f'<p class="said">{words(as_text(task["description"]))}</p>'
        f"<p>{words(as_text(task['requester']))} asks you to decide.</p>{until}"
        f"{showing.FORM}"
        f'<input type="hidden" name="task" value="{words(task_id)}">'
        f'<input type="hidden" name="secret" value="{words(secret)}">'
        '<button class="first" name="decision" value="approve">Approve</button>'
        '<button name="decision" value="reject">Reject</button></form>'
    )
