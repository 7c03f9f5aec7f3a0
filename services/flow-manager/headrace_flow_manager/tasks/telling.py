"""How tasks end by themselves, and who hears of an end: the loop over everybody's tasks.

An end is on record before anybody is told, and each hook is marked after it was told; what is told bears the hook's id,
so that a component that is told twice takes it once.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound, RevisionConflict

from headrace_flow_manager.tasks import model
from headrace_flow_manager.tasks.model import Hook, HookState, Task
from headrace_flow_manager.tasks.store import Listeners, TaskAgenda, TaskStore

log = logging.getLogger(__name__)

BATCH = 100
PAUSE = timedelta(seconds=15)


class Telling:
    """Ends what is due and tells of what ended. Two at once do no harm."""

    def __init__(self, agenda: TaskAgenda, store: TaskStore, listeners: Listeners, clock: Clock) -> None:
        self._agenda = agenda
        self._store = store
        self._listeners = listeners
        self._clock = clock

    async def round(self) -> bool:
        """End a batch and tell of a batch; whether there may be more."""
        overdue = await self._agenda.overdue(self._clock.now(), BATCH)
        for task in overdue:
            await self._save(replace(model.at(task, self._clock.now()), revision=task.revision + 1), task.revision)
        untold = await self._agenda.untold(self._clock.now(), BATCH)
        for task in untold:
            await self._tell(task)
        return BATCH in (len(overdue), len(untold))

    async def _tell(self, task: Task) -> None:
        waiting = [each for each in task.hooks if each.state is HookState.PENDING]
        try:
            unheard = {each.hook.hook_id: each.error for each in await self._listeners.tell(task, waiting)}
        except HeadraceError as error:
            log.warning("task %s is told of later: %s", task.task_id, error)
            await self._agenda.postpone(task, self._clock.now() + PAUSE)
            return
        hooks = tuple(_after(each, unheard.get(each.hook_id)) for each in task.hooks)
        if hooks != task.hooks:
            task = model.with_hooks(task, hooks)
            await self._save(task, task.revision - 1)
        if task.is_untold:
            await self._agenda.postpone(task, self._clock.now() + PAUSE)

    async def _save(self, task: Task, before: int) -> None:
        """Keep the task; one that was changed meanwhile comes again, one that is gone does not."""
        try:
            await self._store.replace(task, before)
        except (RevisionConflict, NotFound) as error:
            log.debug("task %s changed while it was looked at: %s", task.task_id, error)


def _after(hook: Hook, error: HeadraceError | None) -> Hook:
    """The hook after it was told, or was not."""
    if hook.state is not HookState.PENDING or (error is not None and error.is_temporary):
        return hook
    if error is None:
        return replace(hook, state=HookState.SENT)
    log.warning("flow %s, node %s is not told how a task ended: %s", hook.flow_id, hook.node_id, error)
    return replace(hook, state=HookState.FAILED, error=str(error)[: model.MAX_ERROR])
