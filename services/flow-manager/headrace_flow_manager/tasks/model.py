"""A task: who is what to it, what it may hold, and how it goes on. Every step is a new value."""

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from headrace_core import Json
from headrace_core.errors import Conflict, Problem, RevisionConflict, ValidationFailed
from headrace_core.flow import kind_of

from headrace_flow_manager import times

MAX_TASKS: Final = 10_000
MAX_HOOKS: Final = 10
MAX_TITLE: Final = 255
MAX_DESCRIPTION: Final = 20_000
MAX_ADDRESS: Final = 255
MAX_ERROR: Final = 500
_SECRET_BYTES: Final = 32
_ADDRESS: Final = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\Z")
_FIELDS: Final = ("title", "description", "approver", "requester", "decisionBy")


class Status(StrEnum):
    """How far a task is. Only a pending one changes."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    DUE = "due"


class Role(StrEnum):
    """What somebody is to a task."""

    APPROVER = "approver"
    REQUESTER = "requester"
    CREATOR = "creator"


class HookState(StrEnum):
    """Whether a component was told."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "fail"


@dataclass(frozen=True, slots=True)
class Hook:
    """A component that is told once when the task is decided or due."""

    hook_id: str
    url: str
    flow_id: str
    node_id: str
    created_at: datetime
    state: HookState = HookState.PENDING
    error: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody by mail address, and the hash of the secret that stands for them where they have no account."""

    address: str
    secret_hash: bytes

    @property
    def key(self) -> str:
        """The form in which addresses are compared."""
        return address_key(self.address)


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `tenant_id` made it; `revision` counts its changes, those of its hooks too."""

    task_id: str
    tenant_id: str
    title: str
    description: str
    approver: Party
    requester: Party
    created_at: datetime
    updated_at: datetime
    decision_by: datetime | None = None
    status: Status = Status.PENDING
    decided_at: datetime | None = None
    revision: int = 1
    hooks: tuple[Hook, ...] = ()

    @property
    def is_untold(self) -> bool:
        """Whether somebody is still to be told how it ended."""
        return self.status is not Status.PENDING and any(each.state is HookState.PENDING for each in self.hooks)

    @property
    def open_until(self) -> datetime | None:
        """When it will be due; None when it will not."""
        return self.decision_by if self.status is Status.PENDING else None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: a user with a mail address, or the holder of a secret, or both."""

    user_id: str = ""
    email: str = ""
    secret: str = field(default="", repr=False)

    def claims(self, role: Role | None = None) -> list[tuple[str, str | bytes]]:
        """What a task holds, under one of these names, to which the viewer is something (in this role)."""
        found: list[tuple[str, str | bytes]] = []
        for each in (Role.APPROVER, Role.REQUESTER) if role is None else (role,):
            if each is not Role.CREATOR:
                found += [(f"{each}_hash", hash_of(self.secret))] if self.secret else []
                found += [(f"{each}_key", address_key(self.email))] if self.email else []
        if self.user_id and role in (None, Role.CREATOR):
            found.append(("tenant_id", self.user_id))
        return found


@dataclass(frozen=True, slots=True)
class Secrets:
    """Secrets that were made now. They are shown once; a role without a new one has ""."""

    approver: str = ""
    requester: str = ""


def address_key(address: str) -> str:
    """The form in which addresses are compared: without regard to case and to how characters are composed."""
    return unicodedata.normalize("NFKC", address).casefold()


def hash_of(secret: str) -> bytes:
    """What is kept of a secret. It has 256 random bits, so one plain SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def roles_of(task: Task, viewer: Viewer) -> frozenset[Role]:
    """What the viewer is to the task."""
    roles = {Role.CREATOR} if viewer.user_id and viewer.user_id == task.tenant_id else set()
    given = hash_of(viewer.secret) if viewer.secret else b""
    for role, party in ((Role.APPROVER, task.approver), (Role.REQUESTER, task.requester)):
        holds = bool(given) and hmac.compare_digest(given, party.secret_hash)
        if holds or (viewer.email and address_key(viewer.email) == party.key):
            roles.add(role)
    return frozenset(roles)


def at(task: Task, now: datetime) -> Task:
    """The task as it is at this time: a pending one whose time is over is due."""
    if task.open_until is None or task.open_until > now:
        return task
    return replace(task, status=Status.DUE, updated_at=task.open_until)


def public(task: Task) -> dict[str, Json]:
    """The task as everybody is shown it. Secrets and hooks are not part of it."""
    return {
        "taskId": task.task_id,
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "approver": task.approver.address,
        "requester": task.requester.address,
        "decisionBy": None if task.decision_by is None else times.to_text(task.decision_by),
        "decisionMade": None if task.decided_at is None else times.to_text(task.decided_at),
        "created": times.to_text(task.created_at),
        "mtime": times.to_text(task.updated_at),
        "revision": task.revision,
    }


def shown_to(task: Task, viewer: Viewer) -> dict[str, Json]:
    """The task as this viewer is shown it, and as it is filtered and sorted for them."""
    return {**public(task), "isApprover": Role.APPROVER in roles_of(task, viewer)}


def made(task_id: str, tenant: str, document: Mapping[str, Json], now: datetime) -> tuple[Task, Secrets]:
    """A new task and its secrets. Raises ValidationFailed with every problem."""
    _check(document, now, required=("title", "approver", "requester"))
    approver, approver_secret = _party(str(document["approver"]))
    requester, requester_secret = _party(str(document["requester"]))
    task = Task(
        task_id,
        tenant,
        str(document["title"]),
        str(document.get("description") or ""),
        approver,
        requester,
        now,
        now,
        moment(document.get("decisionBy")),
    )
    return task, Secrets(approver_secret, requester_secret)


def changed(task: Task, changes: Mapping[str, Json], now: datetime) -> tuple[Task, Secrets]:
    """The task with the fields that are given. Who is put in somebody's place gets a secret of their own.

    It is the same task where nothing differs. Raises ValidationFailed, and Conflict when it is decided or due.
    """
    check_pending(task)
    _check(changes, now)
    after, shown = task, Secrets()
    if "title" in changes:
        after = replace(after, title=str(changes["title"]))
    if "description" in changes:
        after = replace(after, description=str(changes["description"] or ""))
    if "decisionBy" in changes:
        after = replace(after, decision_by=moment(changes["decisionBy"]))
    if "approver" in changes and address_key(str(changes["approver"])) != task.approver.key:
        party, secret = _party(str(changes["approver"]))
        after, shown = replace(after, approver=party), replace(shown, approver=secret)
    if "requester" in changes and address_key(str(changes["requester"])) != task.requester.key:
        party, secret = _party(str(changes["requester"]))
        after, shown = replace(after, requester=party), replace(shown, requester=secret)
    return (task if after == task else replace(after, updated_at=now, revision=task.revision + 1)), shown


def decided(task: Task, *, approves: bool, now: datetime) -> Task:
    """The task with a decision. Raises Conflict when it has one, or its time is over."""
    check_pending(task)
    status = Status.APPROVED if approves else Status.REJECTED
    return replace(task, status=status, decided_at=now, updated_at=now, revision=task.revision + 1)


def with_hooks(task: Task, hooks: tuple[Hook, ...]) -> Task:
    """The task with these hooks in place of its own."""
    return replace(task, hooks=hooks, revision=task.revision + 1)


def with_secrets_of(task: Task, other: Task) -> Task:
    """The task with the secrets of the other in place of its own, which open nothing any more."""
    approver = replace(task.approver, secret_hash=other.approver.secret_hash)
    requester = replace(task.requester, secret_hash=other.requester.secret_hash)
    return replace(task, approver=approver, requester=requester, revision=task.revision + 1)


def letter(task: Task, link: str) -> str:
    """What the approver is written."""
    until = "" if task.decision_by is None else f"Decide by {times.to_text(task.decision_by)}.\n\n"
    who = f"{task.requester.address} asks you to decide:\n\n{task.title}\n\n"
    return f"{who}{task.description}\n\n{until}Approve or reject it here:\n{link}\n"


def check_pending(task: Task) -> None:
    """Raise Conflict when nothing can be done with the task any more."""
    if task.status is Status.DUE:
        raise Conflict("The time for a decision is over: this task is due. Make another one.")
    if task.status is not Status.PENDING:
        raise Conflict(f"This task was {task.status} already. A task is decided once.")


def check_revision(task: Task, expected: int) -> None:
    """Raise RevisionConflict when a revision is expected and the task is at another one."""
    if expected and expected != task.revision:
        raise RevisionConflict(f"Task {task.task_id!r} was changed in between. Read it again and decide on that.")


def moment(value: Json) -> datetime | None:
    """The instant that a checked `decisionBy` names; one without an offset is in UTC."""
    if not isinstance(value, str) or not value:
        return None
    found = datetime.fromisoformat(value)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _party(address: str) -> tuple[Party, str]:
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return Party(address, hash_of(secret)), secret


def _check(document: Mapping[str, Json], now: datetime, *, required: tuple[str, ...] = ()) -> None:
    problems = list(_problems(document, now, required))
    if problems:
        raise ValidationFailed(problems)


def _problems(document: Mapping[str, Json], now: datetime, required: tuple[str, ...]) -> Iterator[Problem]:
    for name in document:
        if name not in _FIELDS:
            yield _problem(name[:100], "A task has no such field.", f"Known fields: {', '.join(_FIELDS)}.")
    for name in required:
        if name not in document:
            yield _problem(name, "It is missing.", f"A task needs {', '.join(required)}.")
    for name, least, most in (("title", 1, MAX_TITLE), ("description", 0, MAX_DESCRIPTION)):
        value = document.get(name, "x")
        if name == "description" and value is None:
            continue
        if not isinstance(value, str) or not least <= len(value) <= most:
            yield _problem(name, f"It is no text of {least} to {most} characters.")
    for name in ("approver", "requester"):
        value = document.get(name, "a@b")
        if not isinstance(value, str) or len(value) > MAX_ADDRESS or not _ADDRESS.match(value):
            yield _problem(name, "It is no mail address.", "Write name@domain.")
    if document.get("decisionBy") is not None:
        yield from _problems_of_moment(document["decisionBy"], now)


def _problems_of_moment(value: Json, now: datetime) -> Iterator[Problem]:
    try:
        found = moment(value)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        shown = repr(value[:40]) if isinstance(value, str) else kind_of(value)
        yield _problem("decisionBy", f"It is no time: {shown}.", "Write 2026-01-31T08:30:00Z.")
    elif not timedelta() < found - now < timedelta(days=36_500):
        yield _problem("decisionBy", "This time has passed, or is a century away.", "Name one to come.")


def _problem(where: str, message: str, fix: str = "") -> Problem:
    return Problem(where, message, fix, field=where)
