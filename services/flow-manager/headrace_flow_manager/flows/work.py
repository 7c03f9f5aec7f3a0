"""Work at a template and its instances: what it is, and how far it has come. Every step of it is a new value."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

MAX_ERROR = 2_000


class Order(StrEnum):
    """What is to be done."""

    UPDATE = "update"
    DELETE = "delete"


class WorkState(StrEnum):
    """How far it is."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work of one tenant: an order for a flow and each of its instances, in the order of their ids.

    `version` is the template's that instances are brought to; `waiting` of them lacked accounts for it. `after` is the
    instance that was looked at last: who takes the work up goes on behind it.
    """

    ticket: str
    tenant_id: str
    order: Order
    flow_id: str
    version: int
    cancels_runs: bool
    total: int
    created_at: datetime
    updated_at: datetime
    state: WorkState = WorkState.IN_PROGRESS
    after: str = ""
    done: int = 0
    failed: int = 0
    waiting: int = 0
    error: str = ""


def stepped(work: Work, instance_id: str, now: datetime, error: str = "", *, waits: bool = False) -> Work:
    """The work with one more instance looked at, which `waits` for accounts or not. The first error is kept."""
    return replace(
        work,
        after=instance_id,
        done=work.done + 1,
        total=max(work.total, work.done + 1),  # instances that were made meanwhile are looked at too
        failed=work.failed + bool(error),
        waiting=work.waiting + waits,
        error=work.error or error[:MAX_ERROR],
        updated_at=now,
    )


def ended(work: Work, now: datetime) -> Work:
    """The work with nothing left to do. Instances that went away meanwhile count no more."""
    state = WorkState.FAILED if work.failed else WorkState.COMPLETED
    return replace(work, state=state, total=work.done, updated_at=now)
