"""A decision by somebody who has the secret, or an account here."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object, as_text

from headrace_connectors.utils import showing
from headrace_connectors.utils.tasks import approvals


class RequestApproval(Component):
    """Makes a task and tells of it with its secrets; goes on when it is approved, rejected or due."""

    answers_caller = True

    async def receive(self, context: Context) -> None:
        if context.port == "webhook":
            await approvals.look(context, as_text(showing.asked(context.content).data.get("taskId")))
            await context.response({})
        elif context.port == "task":
            task = await approvals.ask(context)
            secrets = {name: task[name] for name in ("approverSecret", "requesterSecret")}
            await context.send_json({**approvals.told(task), **secrets}, "created")
            await approvals.wait(context, as_text(task["taskId"]))
        else:
            await approvals.wait(context, as_text(as_object(context.content).get("taskId")))
