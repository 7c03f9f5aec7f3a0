"""The port to the executor's own store. Its promises are what the engine's promises stand on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace_core.expressions import Json

from headrace_executor.counting import CountQuery, DayCount
from headrace_executor.model import Commit, Inbound, Loaded, NewRun, Run, RunState, StateChange, StateVerb, Unprocessed
from headrace_executor.survey import Survey


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one new run."""

    run_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a list shows. The tenant is None only for an administrator who asks across tenants."""

    tenant_id: str | None
    flow_id: str = ""
    state: RunState | None = None
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which unprocessed messages are meant: of a node, with a text in their `cause`, put aside between two moments.

    With `names`, those alone. None that has the text `without` in its cause.
    """

    node_id: str = ""
    cause: str = ""
    before: float | None = None
    after: float | None = None
    names: tuple[str, ...] = ()
    without: str = ""


EVERY_ONE = Narrowing()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One chunk of a journal with what a log record needs of its run."""

    ticket: str  # what `shipped` is told
    run_id: str
    tenant_id: str
    flow_id: str
    version: int
    correlation_id: str
    records: bytes


class RunStore(Protocol):
    """Runs and their journals."""

    async def accept(self, runs: Sequence[NewRun], owner: str, now: float) -> list[Accepted]:
        """Write new runs durably, all in one commit, and say which were there already.

        A run whose id exists is left as it is: the same event twice is one run. `owned` runs belong to `owner` at
        epoch 1, the others are ready for whoever claims them.
        """
        ...

    async def commit(self, commits: Sequence[Commit]) -> list[bool]:
        """Write each commit whole or not at all; False where the run's epoch or seq is not the commit's any more."""
        ...

    async def claim(self, owner: str, now: float, limit: int, but: Collection[str] = ()) -> list[Loaded]:
        """Take over up to `limit` runs that are ready, due, or left by a dead owner; oldest first.

        None of the tenants `but`, who have enough for now.
        Each gets epoch + 1 and belongs to `owner`. Two owners never hold one run at the same epoch.
        """
        ...

    async def reclaim(self, owner: str, run_id: str, now: float) -> Loaded | None:
        """Take one's own run anew, at epoch + 1, after a commit of it failed. None when somebody else has it."""
        ...

    async def move(self, run: Run, version: int, now: float) -> bool:
        """Let a waiting run go on with another version of its flow, at epoch + 1.

        False where it does not wait any more, or has another epoch or seq than `run`: then nothing is written.
        """
        ...

    async def survey(self, since: float) -> Survey:
        """How runs are, of all tenants: those that began since then one by one, the newest of them at most."""
        ...

    async def next_due(self) -> float | None:
        """When the next waiting run goes on by itself; None when none does."""
        ...

    async def ready_since(self) -> float | None:
        """When the run became ready that has been so for longest; None when none is."""
        ...

    def heartbeat(self, owner: str, until: float) -> None:
        """Say that `owner` lives until then. Blocks: it is called from a thread that no busy event loop can hold up."""
        ...

    async def is_ticking(self, flow_id: str, node_id: str) -> bool:
        """Whether a tick of this node is still on its way."""
        ...

    async def retire(self, owner: str, now: float) -> None:
        """Give back all runs of an owner that leaves: the running become ready, at once."""
        ...

    async def retire_others(self, owner: str, now: float) -> int:
        """Declare every other owner dead. Only for a store that has one process at a time."""
        ...

    async def put_inbox(self, tenant_id: str, run_id: str, inbound: Inbound, now: float) -> bool:
        """Leave something for a run and make it due. False when the tenant has no such run.

        The same kind for the same delivery is left once.
        """
        ...

    async def get(self, tenant_id: str | None, run_id: str) -> Loaded | None:
        """A run with its journal as of the last commit."""
        ...

    async def list_runs(self, query: RunFilter, offset: int, limit: int) -> tuple[list[Run], int]:
        """A page of runs, newest first, and how many match."""
        ...

    async def waited_for(self, limit: int) -> list[str]:
        """Up to `limit` accounts that runs of any tenant wait for."""
        ...

    async def waiting_for(self, account_id: str, limit: int) -> list[tuple[str, str]]:
        """Up to `limit` runs that wait for the account, by tenant and run, in the order in which they were accepted."""
        ...

    async def is_waiting_for(self, run_id: str, account_id: str) -> bool:
        """Whether the last commit of the run says that it waits for the account."""
        ...

    async def resume_flow(self, flow_id: str, now: float) -> int:
        """Make the suspended runs of a flow due."""
        ...

    async def unshipped(self, limit: int) -> list[JournalEntry]:
        """About `limit` chunks whose log records are not shipped yet, of any run, in the order they were committed."""
        ...

    async def events_of(self, run_ids: Collection[str]) -> dict[str, bytes]:
        """The events of these runs as they were accepted, by run id; runs that are gone are left out.

        For what is shown of runs that were found within their tenant's scope.
        """
        ...

    async def shipped(self, tickets: Sequence[str]) -> None:
        """Remember that the log records of these chunks were shipped. They were given in this order."""
        ...

    async def purge(self, before: float, limit: int) -> int:
        """Remove up to `limit` ended runs that last changed before then, with all that belongs to them."""
        ...

    async def forget_flow(self, tenant_id: str, flow_id: str) -> None:
        """Remove the runs, unprocessed messages and state of a deleted flow. What was counted of it stays."""
        ...


class UnprocessedStore(Protocol):
    """Messages that could not be processed."""

    async def list_unprocessed(
        self,
        tenant_id: str | None,
        flow_id: str,
        correlation_id: str,
        offset: int,
        limit: int,
        narrowing: Narrowing = EVERY_ONE,
    ) -> tuple[list[Unprocessed], int]:
        """A page, newest first, and how many match."""
        ...

    async def unprocessed_ids(
        self, tenant_id: str | None, flow_id: str, narrowing: Narrowing, limit: int
    ) -> tuple[list[str], int]:
        """The ids of up to `limit` messages that match, oldest first, and how many there are."""
        ...

    async def get_unprocessed(self, tenant_id: str | None, message_id: str) -> Unprocessed | None:
        """One message."""
        ...

    async def delete_unprocessed(self, tenant_id: str | None, message_ids: Sequence[str]) -> int:
        """Drop messages; says how many there were."""
        ...

    async def retry_unprocessed(
        self, tenant_id: str | None, message_ids: Sequence[str], now: float, *, content: bytes = b""
    ) -> int:
        """Give messages back to their runs; says how many there were.

        `content` goes with each: what was edited in it, or what a person decided. Of several who give back one
        message with different contents, one does; the others are told of none.
        """
        ...


class HoldStore(Protocol):
    """Which executors are kept from taking runs in, by name."""

    async def held(self, name: str) -> tuple[float, str] | None:
        """Since when, and by whom; None where that executor is not kept back."""
        ...

    async def keep_hold(self, name: str, at: float, by: str) -> None:
        """Keep it back. What is on record already stays."""
        ...

    async def drop_hold(self, name: str) -> None:
        """Keep it back no more. Doing it again changes nothing."""
        ...


class StateStore(Protocol):
    """State that components keep between messages. Scopes are built by the executor and begin with the tenant."""

    async def read_state(self, scope: str) -> dict[str, Json]:
        """All keys of a scope."""
        ...

    async def apply_now(self, asked: StateVerb) -> Json:
        """Carry out `asked.before` and then the verb durably, as one write, and return the verb's result.

        It counts only while the run is unfinished and at `asked.epoch`: whether it is, is decided in the write
        itself, so that nothing of a late twin comes after anything of its successor. Otherwise it raises Fenced,
        a known `change_id` included; a value that the verb does not fit raises BadRequest. Either way nothing is
        written, of `before` neither. The same `change_id` is carried out once, `before` with it; later calls
        return the first result.
        """
        ...

    async def write_state(self, changes: Sequence[StateChange]) -> None:
        """Carry out writes that belong to no run."""
        ...


class CountStore(Protocol):
    """How many messages there were, by day. They are counted by the commits that record them, each once.

    Counts outlive the runs and the flows they are of: they go with their tenant.
    """

    async def count_messages(self, query: CountQuery) -> list[DayCount]:
        """The days of the query that have messages, earliest first; exact as of some moment of the call."""
        ...

    async def forget_counts(self, tenant_id: str) -> None:
        """Forget what was counted for a tenant who leaves. Doing it again changes nothing."""
        ...


class ExecutorStore(RunStore, UnprocessedStore, HoldStore, StateStore, CountStore, Protocol):
    """All the executor keeps."""

    async def close(self) -> None:
        """Finish what waits and close."""
        ...
