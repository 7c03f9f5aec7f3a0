"""The executor's store in SQLite. One file holds runs, journals and state, so a commit is one transaction.

It translates and decides nothing: what a commit means stands in the port.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from datetime import timedelta
from itertools import takewhile
from pathlib import Path

import orjson
from headrace_core.errors import Fenced
from headrace_core.expressions import Json
from headrace_runtime.sqlite import Database

from headrace_executor.counting import CountQuery, DayCount
from headrace_executor.model import Commit, Inbound, Loaded, NewRun, Run, RunState, StateChange, StateVerb, Unprocessed
from headrace_executor.store import EVERY_ONE, Accepted, JournalEntry, Narrowing, RunFilter
from headrace_executor.stores import sqlite_state
from headrace_executor.stores.schema import MIGRATIONS
from headrace_executor.survey import IN_DOUBT, MOST_LOOKED_AT, Seen, Survey, survey

RUN_COLUMNS = ", ".join(field.name for field in fields(Run))
UNPROCESSED_COLUMNS = ", ".join(field.name for field in fields(Unprocessed))
MAX_LISTED_COUNT = 100_000
HEARTBEAT_DEADLINE = timedelta(seconds=10)


class SqliteExecutorStore:
    """Implements `ExecutorStore`. `fenced=False` exists for the chaos tests, which must turn red with it."""

    def __init__(self, database: Database, *, fenced: bool = True) -> None:
        self._database = database
        self._fenced = fenced

    @classmethod
    async def open(
        cls, path: Path, *, fenced: bool = True, on_broken: Callable[[BaseException], None] | None = None
    ) -> SqliteExecutorStore:
        return cls(await Database.open(path, MIGRATIONS, on_broken=on_broken), fenced=fenced)

    async def close(self) -> None:
        await self._database.close()

    # Runs.

    async def accept(self, runs: Sequence[NewRun], owner: str, now: float) -> list[Accepted]:
        return await self._database.write(lambda connection: [_insert(connection, run, owner, now) for run in runs])

    async def commit(self, commits: Sequence[Commit]) -> list[bool]:
        return await self._database.write(
            lambda connection: [_commit(connection, commit, self._fenced) for commit in commits]
        )

    async def claim(self, owner: str, now: float, limit: int, but: Collection[str] = ()) -> list[Loaded]:
        candidates = await self._database.read(lambda connection: _claimable(connection, owner, now, limit, but))
        if not candidates:
            return []
        return await self._database.write(lambda connection: _claim(connection, owner, now, candidates))

    async def reclaim(self, owner: str, run_id: str, now: float) -> Loaded | None:
        def work(connection: sqlite3.Connection) -> Loaded | None:
            changed = connection.execute(
                "UPDATE runs SET epoch = epoch + 1, updated = ? WHERE run_id = ? AND owner = ? AND state < 4",
                (now, run_id, owner),
            ).rowcount
            return _load(connection, run_id) if changed else None

        return await self._database.write(work)

    async def move(self, run: Run, version: int, now: float) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            moved = connection.execute(
                "UPDATE runs SET version = ?, epoch = epoch + 1, updated = ?"
                " WHERE run_id = ? AND tenant_id = ? AND epoch = ? AND seq = ? AND state = ?",
                (version, now, run.run_id, run.tenant_id, run.epoch, run.seq, RunState.WAITING),
            )
            return moved.rowcount == 1

        return await self._database.write(work)

    async def next_due(self) -> float | None:
        def work(connection: sqlite3.Connection) -> float | None:
            row = connection.execute(
                "SELECT MIN(due) AS due FROM runs WHERE state = ? AND due IS NOT NULL", (RunState.WAITING,)
            ).fetchone()
            return None if row is None else row["due"]

        return await self._database.read(work)

    async def ready_since(self) -> float | None:
        def work(connection: sqlite3.Connection) -> float | None:
            row = connection.execute(
                "SELECT MIN(updated) AS since FROM runs WHERE state = ?", (RunState.READY,)
            ).fetchone()
            return None if row is None else row["since"]

        return await self._database.read(work)

    def heartbeat(self, owner: str, until: float) -> None:
        self._database.write_blocking(
            lambda connection: connection.execute(
                "INSERT INTO owners (owner, alive_until) VALUES (?, ?)"
                " ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until",
                (owner, until),
            ),
            HEARTBEAT_DEADLINE,
        )

    async def is_ticking(self, flow_id: str, node_id: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute(
                "SELECT 1 FROM runs WHERE state IN (?, ?) AND flow_id = ? AND trigger_id = ? AND port = 'tick' LIMIT 1",
                (RunState.READY, RunState.RUNNING, flow_id, node_id),
            ).fetchone()
            return row is not None

        return await self._database.read(work)

    async def retire(self, owner: str, now: float) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE runs SET state = ?, owner = '', updated = ? WHERE state = ? AND owner = ?",
                (RunState.READY, now, RunState.RUNNING, owner),
            )
            connection.execute("DELETE FROM owners WHERE owner = ?", (owner,))

        await self._database.write(work)

    async def retire_others(self, owner: str, now: float) -> int:
        return await self._database.write(
            lambda connection: connection.execute("DELETE FROM owners WHERE owner <> ?", (owner,)).rowcount
        )

    async def put_inbox(self, tenant_id: str, run_id: str, inbound: Inbound, now: float) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            known = connection.execute(
                "SELECT 1 FROM runs WHERE run_id = ? AND tenant_id = ?", (run_id, tenant_id)
            ).fetchone()
            if known is None:
                return False
            _leave(connection, run_id, inbound, now)
            return True

        return await self._database.write(work)

    async def get(self, tenant_id: str | None, run_id: str) -> Loaded | None:
        def work(connection: sqlite3.Connection) -> Loaded | None:
            loaded = _load(connection, run_id)
            return loaded if loaded is not None and tenant_id in (None, loaded.run.tenant_id) else None

        return await self._database.read(work)

    async def list_runs(self, query: RunFilter, offset: int, limit: int) -> tuple[list[Run], int]:
        return await self._database.read(lambda connection: _list_runs(connection, query, offset, limit))

    async def waited_for(self, limit: int) -> list[str]:
        def work(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute("SELECT DISTINCT waits_for FROM runs WHERE waits_for <> ''")
            found = {each for row in rows for each in row["waits_for"].split()}
            return sorted(found)[:limit]

        return await self._database.read(work)

    async def waiting_for(self, account_id: str, limit: int) -> list[tuple[str, str]]:
        def work(connection: sqlite3.Connection) -> list[tuple[str, str]]:
            rows = connection.execute(
                "SELECT tenant_id, run_id FROM runs WHERE waits_for <> '' AND state = ?"
                " AND instr(' ' || waits_for || ' ', ?) > 0 ORDER BY number LIMIT ?",
                (RunState.WAITING, f" {account_id} ", limit),
            )
            return [(row["tenant_id"], row["run_id"]) for row in rows]

        return await self._database.read(work)

    async def is_waiting_for(self, run_id: str, account_id: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute("SELECT waits_for FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            return row is not None and account_id in row["waits_for"].split()

        return await self._database.read(work)

    async def resume_flow(self, flow_id: str, now: float) -> int:
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE runs SET due = ?, suspended = 0 WHERE flow_id = ? AND state = ? AND suspended = 1",
                    (now, flow_id, RunState.WAITING),
                ).rowcount
            )
        )

    async def unshipped(self, limit: int) -> list[JournalEntry]:
        def work(connection: sqlite3.Connection) -> list[JournalEntry]:
            rows = connection.execute(
                "SELECT CAST(journal.number AS TEXT), run_id, tenant_id, flow_id, version, correlation_id, records"
                " FROM journal JOIN runs USING (run_id)"
                " WHERE journal.number > COALESCE((SELECT number FROM cursors WHERE name = 'log'), 0)"
                " ORDER BY journal.number LIMIT ?",
                (limit,),
            )
            return [JournalEntry(*row) for row in rows]

        return await self._database.read(work)

    async def events_of(self, run_ids: Collection[str]) -> dict[str, bytes]:
        def work(connection: sqlite3.Connection) -> dict[str, bytes]:
            wanted = "SELECT value FROM json_each(?)"
            rows = connection.execute(
                f"SELECT run_id, content FROM runs WHERE run_id IN ({wanted})", (orjson.dumps(list(run_ids)).decode(),)
            )
            return {row["run_id"]: row["content"] for row in rows}

        return await self._database.read(work) if run_ids else {}

    async def shipped(self, tickets: Sequence[str]) -> None:
        if tickets:
            await self._database.write(
                lambda connection: connection.execute(
                    "INSERT INTO cursors (name, number) VALUES ('log', ?)"
                    " ON CONFLICT (name) DO UPDATE SET number = MAX(number, excluded.number)",
                    (int(tickets[-1]),),
                )
            )

    async def purge(self, before: float, limit: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            old = connection.execute(
                "SELECT run_id FROM runs WHERE state >= 4 AND updated < ? ORDER BY number LIMIT ?", (before, limit)
            ).fetchall()
            for row in old:
                _remove_run(connection, row["run_id"])
            return len(old)

        return await self._database.write(work)

    async def forget_flow(self, tenant_id: str, flow_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            runs = connection.execute(
                "SELECT run_id FROM runs WHERE flow_id = ? AND tenant_id = ?", (flow_id, tenant_id)
            ).fetchall()
            for row in runs:
                _remove_run(connection, row["run_id"])
            connection.execute("DELETE FROM unprocessed WHERE tenant_id = ? AND flow_id = ?", (tenant_id, flow_id))
            sqlite_state.clear(connection, f"{tenant_id}/flow/{flow_id}/")

        await self._database.write(work)

    async def survey(self, since: float) -> Survey:
        def work(connection: sqlite3.Connection) -> Survey:
            open = connection.execute("SELECT state, COUNT(*) FROM runs WHERE state < 4 GROUP BY state").fetchall()
            doubt = IN_DOUBT.lower()
            unprocessed, in_doubt = connection.execute(
                "SELECT COUNT(*), COALESCE(SUM(instr(cause, ?) > 0), 0) FROM unprocessed", (doubt,)
            ).fetchone()
            rows = connection.execute(
                "SELECT tenant_id, state, created, updated, steps, failed FROM runs ORDER BY number DESC LIMIT ?",
                (MOST_LOOKED_AT,),
            )
            recent = takewhile(lambda seen: seen.created >= since, (Seen(*row) for row in rows))
            return survey({RunState(state): count for state, count in open}, unprocessed, in_doubt, recent)

        return await self._database.read(work)

    # Counts of messages.

    async def count_messages(self, query: CountQuery) -> list[DayCount]:
        where, values = _conditions({"tenant_id": query.tenant_id, "flow_id": query.flow_id})

        def work(connection: sqlite3.Connection) -> list[DayCount]:
            rows = connection.execute(
                f"SELECT day, SUM(count), SUM(size) FROM message_counts{where or ' WHERE TRUE'}"
                " AND day BETWEEN ? AND ? GROUP BY day ORDER BY day",
                (*values, query.first_day, query.last_day),
            )
            return [DayCount(*row) for row in rows]

        return await self._database.read(work)

    async def forget_counts(self, tenant_id: str) -> None:
        await self._database.write(
            lambda connection: connection.execute("DELETE FROM message_counts WHERE tenant_id = ?", (tenant_id,))
        )

    # Unprocessed messages.

    async def list_unprocessed(
        self,
        tenant_id: str | None,
        flow_id: str,
        correlation_id: str,
        offset: int,
        limit: int,
        narrowing: Narrowing = EVERY_ONE,
    ) -> tuple[list[Unprocessed], int]:
        plain = {"tenant_id": tenant_id, "flow_id": flow_id, "correlation_id": correlation_id}
        where, values = _narrowed(plain, narrowing)

        def work(connection: sqlite3.Connection) -> tuple[list[Unprocessed], int]:
            rows = connection.execute(
                f"SELECT {UNPROCESSED_COLUMNS} FROM unprocessed{where} ORDER BY number DESC LIMIT ? OFFSET ?",
                (*values, limit, offset),
            )
            total = connection.execute(f"SELECT COUNT(*) FROM unprocessed{where}", values).fetchone()[0]
            return [Unprocessed(*row) for row in rows], total

        return await self._database.read(work)

    async def unprocessed_ids(
        self, tenant_id: str | None, flow_id: str, narrowing: Narrowing, limit: int
    ) -> tuple[list[str], int]:
        where, values = _narrowed({"tenant_id": tenant_id, "flow_id": flow_id}, narrowing)

        def work(connection: sqlite3.Connection) -> tuple[list[str], int]:
            total = connection.execute(f"SELECT COUNT(*) FROM unprocessed{where}", values).fetchone()[0]
            rows = connection.execute(
                f"SELECT message_id FROM unprocessed{where} ORDER BY number LIMIT ?", (*values, limit)
            )
            return [row["message_id"] for row in rows], total

        return await self._database.read(work)

    async def get_unprocessed(self, tenant_id: str | None, message_id: str) -> Unprocessed | None:
        where, values = _conditions({"tenant_id": tenant_id, "message_id": message_id})

        def work(connection: sqlite3.Connection) -> Unprocessed | None:
            row = connection.execute(f"SELECT {UNPROCESSED_COLUMNS} FROM unprocessed{where}", values).fetchone()
            return None if row is None else Unprocessed(*row)

        return await self._database.read(work)

    async def delete_unprocessed(self, tenant_id: str | None, message_ids: Sequence[str]) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return sum(_delete_unprocessed(connection, tenant_id, name) is not None for name in message_ids)

        return await self._database.write(work)

    async def retry_unprocessed(
        self, tenant_id: str | None, message_ids: Sequence[str], now: float, *, content: bytes = b""
    ) -> int:
        def work(connection: sqlite3.Connection) -> int:
            retried = 0
            for name in message_ids:
                run_id = _delete_unprocessed(connection, tenant_id, name)
                if run_id is not None:
                    _leave(connection, run_id, Inbound(0, "retry", name, content), now)
                    retried += 1
            return retried

        return await self._database.write(work)

    # Executors that take no runs in.

    async def held(self, name: str) -> tuple[float, str] | None:
        def work(connection: sqlite3.Connection) -> tuple[float, str] | None:
            row = connection.execute("SELECT at, by FROM holds WHERE name = ?", (name,)).fetchone()
            return None if row is None else (row["at"], row["by"])

        return await self._database.read(work)

    async def keep_hold(self, name: str, at: float, by: str) -> None:
        statement = "INSERT INTO holds (name, at, by) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
        await self._database.write(lambda connection: connection.execute(statement, (name, at, by)))

    async def drop_hold(self, name: str) -> None:
        await self._database.write(lambda connection: connection.execute("DELETE FROM holds WHERE name = ?", (name,)))

    # State of components.

    async def read_state(self, scope: str) -> dict[str, Json]:
        return await self._database.read(lambda connection: sqlite_state.read(connection, scope))

    async def apply_now(self, asked: StateVerb) -> Json:
        def work(connection: sqlite3.Connection) -> Json:
            if self._fenced and not _is_at(connection, asked.run_id, asked.epoch):
                raise Fenced(f"Run {asked.run_id} belongs to another executor by now.")
            return sqlite_state.apply_now(connection, asked)

        return await self._database.write(work)

    async def write_state(self, changes: Sequence[StateChange]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for change in changes:
                sqlite_state.write(connection, change)

        await self._database.write(work)


def _insert(connection: sqlite3.Connection, run: NewRun, owner: str, now: float) -> Accepted:
    inserted = connection.execute(
        "INSERT INTO runs (run_id, tenant_id, flow_id, version, trigger_id, port, event_id, correlation_id, caller,"
        " content, state, epoch, owner, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)"
        " ON CONFLICT (run_id) DO NOTHING",
        (
            run.run_id,
            run.tenant_id,
            run.flow_id,
            run.version,
            run.trigger_id,
            run.port,
            run.event_id,
            run.correlation_id,
            run.caller,
            run.content,
            RunState.RUNNING if run.owned else RunState.READY,
            owner if run.owned else "",
            now,
            now,
        ),
    ).rowcount
    return Accepted(run.run_id, inserted == 1)


def _commit(connection: sqlite3.Connection, commit: Commit, fenced: bool) -> bool:
    fence = "AND epoch = :epoch AND seq = :seq AND state < 4" if fenced else ""
    changed = connection.execute(
        "UPDATE runs SET seq = seq + 1, state = :state, steps = :steps, pending = :pending, failed = :failed,"
        " updated = :now, due = :due, suspended = :suspended, error = :error, suspect = :suspect,"
        " waits_for = :waits_for,"
        " deaths = CASE WHEN :suspect = '' THEN 0 ELSE deaths END"
        f" WHERE run_id = :run_id AND tenant_id = :tenant_id {fence}",
        {
            "epoch": commit.epoch,
            "seq": commit.seq,
            "state": commit.state,
            "steps": commit.steps,
            "pending": commit.pending,
            "failed": commit.failed,
            "now": commit.now,
            "due": commit.due,
            "suspended": commit.suspended,
            "error": commit.error,
            "suspect": commit.suspect,
            "waits_for": " ".join(commit.waits_for),
            "run_id": commit.run_id,
            "tenant_id": commit.tenant_id,
        },
    ).rowcount
    if changed != 1:
        return False
    if len(commit.records) > len(b"[]"):
        connection.execute(
            "INSERT INTO journal (run_id, seq, records) VALUES (?, ?, ?)",
            (commit.run_id, commit.seq + 1, commit.records),
        )
    for message in commit.unprocessed:
        _put_unprocessed(connection, message)
    for change in commit.changes:
        sqlite_state.write(connection, change)
    for timeout_id in commit.cancelled_timeouts:
        _cancel_timeout(connection, timeout_id, commit)
    for number in commit.handled_inbox:
        connection.execute("DELETE FROM inbox WHERE number = ? AND run_id = ?", (number, commit.run_id))
    if commit.state in (RunState.WAITING, RunState.DONE, RunState.FAILED):
        _stay_due_for_inbox(connection, commit)
    for each in commit.messages:
        _count(connection, commit.run_id, each)
    return True


def _count(connection: sqlite3.Connection, run_id: str, more: DayCount) -> None:
    connection.execute(
        "INSERT INTO message_counts (tenant_id, flow_id, day, count, size)"
        " SELECT tenant_id, flow_id, ?, ?, ? FROM runs WHERE run_id = ?"
        " ON CONFLICT (tenant_id, flow_id, day)"
        " DO UPDATE SET count = count + excluded.count, size = size + excluded.size",
        (more.day, more.count, more.size, run_id),
    )


def _is_at(connection: sqlite3.Connection, run_id: str, epoch: int) -> bool:
    found = connection.execute("SELECT 1 FROM runs WHERE run_id = ? AND epoch = ? AND state < 4", (run_id, epoch))
    return found.fetchone() is not None


def _stay_due_for_inbox(connection: sqlite3.Connection, commit: Commit) -> None:
    """What was left for the run while it ran must not wait for its next timer, nor be passed over by its end."""
    connection.execute(
        "UPDATE runs SET due = :now, suspended = 0, state = :waiting WHERE run_id = :run_id AND EXISTS"
        " (SELECT 1 FROM inbox WHERE inbox.run_id = :run_id AND (inbox.kind = 'retry' OR :state = :waiting))",
        {"now": commit.now, "run_id": commit.run_id, "state": commit.state, "waiting": RunState.WAITING},
    )


def _put_unprocessed(connection: sqlite3.Connection, message: Unprocessed) -> None:
    marks = ", ".join("?" for _ in fields(Unprocessed))
    connection.execute(
        f"INSERT OR REPLACE INTO unprocessed ({UNPROCESSED_COLUMNS}, cause) VALUES ({marks}, ?)",
        (*(getattr(message, field.name) for field in fields(Unprocessed)), message.cause),
    )


def _cancel_timeout(connection: sqlite3.Connection, timeout_id: str, commit: Commit) -> None:
    run_id = timeout_id.rpartition(".")[0]
    owner = connection.execute(
        "SELECT 1 FROM runs WHERE run_id = ? AND tenant_id = ?", (run_id, commit.tenant_id)
    ).fetchone()
    if owner is not None:
        _leave(connection, run_id, Inbound(0, "cancel", timeout_id, b""), commit.now)


def _claimable(
    connection: sqlite3.Connection, owner: str, now: float, limit: int, but: Collection[str]
) -> list[tuple[str, int]]:
    theirs = " AND tenant_id NOT IN (SELECT value FROM json_each(:but))" if but else ""
    rows = connection.execute(
        f"SELECT run_id, epoch FROM runs WHERE state = :ready{theirs}"
        f" UNION ALL SELECT run_id, epoch FROM runs WHERE state = :waiting AND due <= :now{theirs}"
        f" UNION ALL SELECT run_id, epoch FROM runs WHERE state = :running AND owner <> :owner{theirs}"
        " AND owner NOT IN (SELECT owner FROM owners WHERE alive_until > :now) LIMIT :limit",
        {
            "but": orjson.dumps([*but]).decode(),
            "ready": RunState.READY,
            "waiting": RunState.WAITING,
            "running": RunState.RUNNING,
            "now": now,
            "owner": owner,
            "limit": limit,
        },
    )
    return [(row["run_id"], row["epoch"]) for row in rows]


def _claim(
    connection: sqlite3.Connection, owner: str, now: float, candidates: Sequence[tuple[str, int]]
) -> list[Loaded]:
    claimed: list[Loaded] = []
    for run_id, epoch in candidates:
        changed = connection.execute(
            "UPDATE runs SET epoch = epoch + 1, deaths = deaths + (state = :running), state = :running, owner = :owner,"
            " updated = :now, due = NULL WHERE run_id = :run_id AND epoch = :epoch AND state < 4",
            {"running": RunState.RUNNING, "owner": owner, "now": now, "run_id": run_id, "epoch": epoch},
        ).rowcount
        if changed == 1:
            loaded = _load(connection, run_id)
            if loaded is not None:
                claimed.append(loaded)
    return claimed


def _load(connection: sqlite3.Connection, run_id: str) -> Loaded | None:
    row = connection.execute(f"SELECT {RUN_COLUMNS} FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        return None
    chunks = connection.execute("SELECT records FROM journal WHERE run_id = ? ORDER BY seq, number", (run_id,))
    inbox = connection.execute(
        "SELECT number, kind, delivery_id, content FROM inbox WHERE run_id = ? ORDER BY number", (run_id,)
    )
    return Loaded(_run(row), [chunk["records"] for chunk in chunks], [Inbound(*entry) for entry in inbox])


def _run(row: sqlite3.Row) -> Run:
    run = Run(*row)
    run.state = RunState(run.state)
    return run


def _list_runs(connection: sqlite3.Connection, query: RunFilter, offset: int, limit: int) -> tuple[list[Run], int]:
    where, values = _conditions(
        {
            "tenant_id": query.tenant_id,
            "flow_id": query.flow_id,
            "correlation_id": query.correlation_id,
            "state": query.state,
        }
    )
    rows = connection.execute(
        f"SELECT {RUN_COLUMNS} FROM runs{where} ORDER BY number DESC LIMIT ? OFFSET ?", (*values, limit, offset)
    ).fetchall()
    total = connection.execute(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM runs{where} LIMIT {MAX_LISTED_COUNT})", values
    ).fetchone()[0]
    return [_run(row) for row in rows], total


def _conditions(wanted: dict[str, str | int | None]) -> tuple[str, tuple[str | int, ...]]:
    """A WHERE clause over our own column names; empty values do not count."""
    given = {column: value for column, value in wanted.items() if value not in (None, "")}
    clause = " AND ".join(f"{column} = ?" for column in given)
    return (f" WHERE {clause}" if clause else ""), tuple(value for value in given.values() if value is not None)


def _narrowed(plain: dict[str, str | None], narrowing: Narrowing) -> tuple[str, tuple[str | float, ...]]:
    """A WHERE clause over unprocessed messages."""
    where, values = _conditions({**plain, "node_id": narrowing.node_id})
    more: list[tuple[str, str | float]] = []
    if narrowing.cause:
        more.append(("instr(cause, ?) > 0", narrowing.cause.lower()))
    if narrowing.without:
        more.append(("instr(cause, ?) = 0", narrowing.without.lower()))
    if narrowing.names:
        more.append(("message_id IN (SELECT value FROM json_each(?))", orjson.dumps(narrowing.names).decode()))
    if narrowing.before is not None:
        more.append(("created < ?", narrowing.before))
    if narrowing.after is not None:
        more.append(("created > ?", narrowing.after))
    for clause, _ in more:
        where += f" AND {clause}" if where else f" WHERE {clause}"
    return where, (*values, *(value for _, value in more))


def _delete_unprocessed(connection: sqlite3.Connection, tenant_id: str | None, message_id: str) -> str | None:
    where, values = _conditions({"tenant_id": tenant_id, "message_id": message_id})
    row = connection.execute(f"DELETE FROM unprocessed{where} RETURNING run_id", values).fetchone()
    return None if row is None else str(row["run_id"])


def _leave(connection: sqlite3.Connection, run_id: str, inbound: Inbound, now: float) -> None:
    connection.execute(
        "INSERT INTO inbox (run_id, kind, delivery_id, content) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (run_id, kind, delivery_id) DO NOTHING",
        (run_id, inbound.kind, inbound.delivery_id, inbound.content),
    )
    connection.execute(
        "UPDATE runs SET due = :now, suspended = 0, state = CASE WHEN state >= :done AND :retry THEN :waiting"
        " ELSE state END WHERE run_id = :run_id",
        {
            "now": now,
            "done": RunState.DONE,
            "retry": inbound.kind == "retry",
            "waiting": RunState.WAITING,
            "run_id": run_id,
        },
    )


def _remove_run(connection: sqlite3.Connection, run_id: str) -> None:
    for table in ("journal", "inbox", "state_changes", "unprocessed", "runs"):
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
