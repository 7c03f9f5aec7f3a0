"""What can be done with tasks."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from headrace_core import Json
from headrace_core.clock import Clock
from headrace_core.errors import Conflict, Forbidden, NotFound, RevisionConflict, Unsupported
from headrace_core.ids import derive_id, new_id

from headrace_flow_manager.mail import Mail
from headrace_flow_manager.query import ListQuery, Page
from headrace_flow_manager.tasks import model
from headrace_flow_manager.tasks.model import Hook, Role, Secrets, Task, Viewer
from headrace_flow_manager.tasks.store import Addresses, TaskStore

_ATTEMPTS = 5

OwnsFlow = Callable[[str, str], Awaitable[object]]
"""Looks for a tenant's flow. Raises NotFound when it is not theirs."""

Change = Callable[[Task], Task]
"""The task as it is to be. Raises where that cannot be."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A component that hears of the end of a task, and the URL of its webhook."""

    url: str
    flow_id: str
    node_id: str


class TaskService:
    """Keeps tasks: for who made them, for whom they are decided, and who decides.

    Viewers come with a user id and a secret; this finds out the user's address. `ended` is called when somebody may
    be there to be told.
    """

    def __init__(
        self,
        store: TaskStore,
        addresses: Addresses,
        owns_flow: OwnsFlow,
        mail: Mail | None,
        clock: Clock,
        ended: Callable[[], None],
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._owns_flow = owns_flow
        self._mail = mail
        self._clock = clock
        self._ended = ended

    async def create(
        self, tenant: str, document: Mapping[str, Json], request_id: str = "", listener: Listener | None = None
    ) -> tuple[Task, Secrets]:
        """Keep a new task; it, and the secrets of its people. The listener hears of its end.

        A repeated request gets the task of the first: secrets are not kept, so it brings new ones, and those of the
        first open nothing any more. Raises ValidationFailed, Conflict when there are too many, and NotFound for a flow
        that is not the tenant's.
        """
        now = self._clock.now()
        task_id = derive_id("task", tenant, request_id) if request_id else new_id()
        task, secrets = model.made(task_id, tenant, document, now)
        if listener is not None:
            await self._owns_flow(tenant, listener.flow_id)
            hook = Hook(f"{task_id}_{new_id()}", listener.url, listener.flow_id, listener.node_id, now)
            task = replace(task, hooks=(hook,))
        if request_id:
            with suppress(NotFound):
                return await self._change_own(tenant, task_id, lambda kept: model.with_secrets_of(kept, task)), secrets
        await self._store.add(task, model.MAX_TASKS)
        return task, secrets

    async def mail(self, tenant: str, task_id: str, link: str) -> None:
        """Mail the approver of one's own task where to decide. Raises NotFound, Conflict when nobody decides any more,
        and Unsupported where no mail is sent."""
        if self._mail is None:
            raise Unsupported("This installation sends no mail: HEADRACE_SMTP_URL is not set.")
        task = model.at(await self._find(Viewer(user_id=tenant), task_id), self._clock.now())
        model.check_pending(task)
        await self._mail.send(task.approver.address, " ".join(task.title.split()), model.letter(task, link))

    async def get(self, viewer: Viewer, task_id: str) -> tuple[Task, frozenset[Role]]:
        """The task as it is now, and what the viewer is to it. Raises NotFound."""
        viewer = await self._known(viewer)
        task = await self._find(viewer, task_id)
        return model.at(task, self._clock.now()), model.roles_of(task, viewer)

    async def page(
        self, viewer: Viewer, role: Role | None, query: ListQuery
    ) -> tuple[Page[Task], dict[str, frozenset[Role]]]:
        """A page of tasks to which the viewer is something (in this role), and what that is for each.

        Who comes with a secret is asked no further: it is the secret's tasks that are listed.
        """
        viewer = Viewer(secret=viewer.secret) if viewer.secret else await self._known(viewer)
        page = await self._store.page(viewer, role, query, self._clock.now())
        return page, {each.task_id: model.roles_of(each, viewer) for each in page.items}

    async def update(
        self, viewer: Viewer, task_id: str, changes: Mapping[str, Json], expected_revision: int
    ) -> tuple[Task, Secrets, frozenset[Role]]:
        """Change the fields that are given, and show the secret of who is new.

        Raises NotFound; Forbidden to all but creator and requester, and to the requester for addresses; else as
        `model.changed`, and RevisionConflict.
        """
        viewer = await self._known(viewer)
        secrets = Secrets()

        def change(task: Task) -> Task:
            nonlocal secrets
            roles = model.roles_of(task, viewer)
            if not roles & {Role.CREATOR, Role.REQUESTER}:
                raise Forbidden("Who decides on a task cannot change what is asked. Ask its requester.")
            if {"approver", "requester"} & changes.keys() and Role.CREATOR not in roles:
                raise Forbidden("Only who made a task can put it before somebody else.")
            after, secrets = model.changed(task, changes, self._clock.now())
            return after

        saved = await self._change(viewer, task_id, change, expected_revision)
        return saved, secrets, model.roles_of(saved, viewer)

    async def decide(
        self, viewer: Viewer, task_id: str, *, approves: bool, expected_revision: int
    ) -> tuple[Task, frozenset[Role]]:
        """Approve or reject, once. Raises NotFound, Forbidden to all but the approver, Conflict, RevisionConflict."""
        viewer = await self._known(viewer)

        def change(task: Task) -> Task:
            if Role.APPROVER not in model.roles_of(task, viewer):
                raise Forbidden("Only its approver decides on a task.")
            return model.decided(task, approves=approves, now=self._clock.now())

        saved = await self._change(viewer, task_id, change, expected_revision)
        self._ended()
        return saved, model.roles_of(saved, viewer)

    async def delete(self, tenant: str, task_id: str) -> None:
        """Take away a task of one's own. Raises NotFound."""
        await self._store.delete(tenant, task_id)

    async def add_hook(self, tenant: str, task_id: str, url: str, flow_id: str, node_id: str) -> Hook:
        """Have a component of one's own flow told when one's own task ends; at once when it has.

        Raises NotFound, and Conflict when enough are told already.
        """
        await self._owns_flow(tenant, flow_id)
        hook = Hook(f"{task_id}_{new_id()}", url, flow_id, node_id, self._clock.now())

        def change(task: Task) -> Task:
            if len(task.hooks) >= model.MAX_HOOKS:
                raise Conflict(f"{model.MAX_HOOKS} components are told of this task already. Take one of them away.")
            return model.with_hooks(task, (*task.hooks, hook))

        await self._change_own(tenant, task_id, change)
        self._ended()
        return hook

    async def remove_hook(self, tenant: str, hook_id: str) -> None:
        """Have a component not told. Raises NotFound, also where the task is gone."""

        def change(task: Task) -> Task:
            rest = tuple(each for each in task.hooks if each.hook_id != hook_id)
            if len(rest) == len(task.hooks):
                raise missing
            return model.with_hooks(task, rest)

        missing = NotFound("webhook", hook_id[:100])
        try:
            await self._change_own(tenant, hook_id.partition("_")[0], change)
        except NotFound:
            raise missing from None

    async def _known(self, viewer: Viewer) -> Viewer:
        """The viewer with the address of the user."""
        return replace(viewer, email=await self._addresses.address(viewer.user_id)) if viewer.user_id else viewer

    async def _find(self, viewer: Viewer, task_id: str) -> Task:
        task = await self._store.get(viewer, task_id)
        if not model.roles_of(task, viewer):
            raise NotFound("task", task_id[:100])
        return task

    async def _change(self, viewer: Viewer, task_id: str, change: Change, expected_revision: int = 0) -> Task:
        for attempt in range(_ATTEMPTS):
            kept = await self._find(viewer, task_id)
            model.check_revision(kept, expected_revision)
            after = change(model.at(kept, self._clock.now()))
            if after == kept:
                return after
            try:
                await self._store.replace(after, kept.revision)
            except RevisionConflict:
                if expected_revision or attempt == _ATTEMPTS - 1:
                    raise
                continue
            return after
        raise AssertionError("the last attempt ends or raises")

    async def _change_own(self, tenant: str, task_id: str, change: Change) -> Task:
        return await self._change(Viewer(user_id=tenant), task_id, change)
