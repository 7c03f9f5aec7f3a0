"""What an act of an administrator is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headrace_core import Json
from headrace_core.errors import Problem, TooLarge, ValidationFailed

from headrace_flow_manager import json_text, times

MAX_TEXT: Final = 1_000
MAX_JSON_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something an administrator did. `status` is 0 and `ended_at` None as long as nobody knows how it ended.

    `before`, `given` and `after` are JSON values, None where there is nothing; `tenant_id` is "" where the act is
    about nobody's data in particular.
    """

    act_id: str
    begun_at: datetime
    actor_id: str
    actor_name: str
    address: str
    request_id: str
    action: str
    summary: str
    target: str
    tenant_id: str
    before: Json = None
    given: Json = None
    after: Json = None
    status: int = 0
    ended_at: datetime | None = None


def public(act: Act) -> dict[str, Json]:
    """The act as it is shown, filtered and sorted."""
    return {
        "actId": act.act_id,
        "at": times.to_text(act.begun_at),
        "actorId": act.actor_id,
        "actor": act.actor_name,
        "address": act.address,
        "requestId": act.request_id,
        "action": act.action,
        "summary": act.summary,
        "target": act.target,
        "tenantId": act.tenant_id or None,
        "before": act.before,
        "given": act.given,
        "after": act.after,
        "status": act.status or None,
        "endedAt": None if act.ended_at is None else times.to_text(act.ended_at),
    }


def check(act: Act) -> None:
    """Raise ValidationFailed for what is no act, TooLarge for one that would fill the trail."""
    needed = {"act_id": act.act_id, "actor_id": act.actor_id, "action": act.action}
    problems = [Problem(name, "It is empty.", field=name) for name, value in needed.items() if not value]
    texts = (act.act_id, act.actor_id, act.actor_name, act.address, act.request_id, act.action, act.target)
    if any(len(each) > MAX_TEXT for each in texts):
        problems.append(Problem("act", f"A text of it has more than {MAX_TEXT} characters."))
    if problems:
        raise ValidationFailed(problems)
    for value in (act.before, act.given, act.after):
        check_size(value)


def check_size(value: Json) -> None:
    """Raise TooLarge for a value that would fill the trail."""
    size = len(json_text.encode(value))
    if size > MAX_JSON_BYTES:
        raise TooLarge(f"It has {size} bytes of JSON, and an act keeps {MAX_JSON_BYTES}. Send less of it.")
