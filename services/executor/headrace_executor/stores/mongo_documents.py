"""The executor's collections in MongoDB, and what a document of each holds.

`runs` has one document for each run, and everything that must change at once is in it: the fence (`epoch`, `seq`,
`turn`), the newest part of the journal, what others left for the run (`inbox`), and what a commit or a verb still has
to do elsewhere (`outbox`). Older parts of the journal are in `pages`, large bytes in `pieces`; both are written before
the run points at them and never change. What a run's commits counted (`counts`) is with it until `mongo_counts` adds it
to the days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from headrace_runtime.mongo import Document
from pymongo import ASCENDING, DESCENDING, IndexModel

from headrace_executor.model import Inbound, NewRun, Run, RunState
from headrace_executor.store import RunFilter

OPEN = int(RunState.DONE)
"""States below this one are of runs that go on."""

VERSIONS: Sequence[Mapping[str, Sequence[IndexModel]]] = [
    {
        "runs": [
            IndexModel([("state", ASCENDING), ("updated", ASCENDING)], name="by_state"),
            IndexModel([("due", ASCENDING)], name="waiting", partialFilterExpression={"state": int(RunState.WAITING)}),
            IndexModel([("flow_id", ASCENDING), ("created", DESCENDING)], name="of_flow"),
            IndexModel([("tenant_id", ASCENDING), ("created", DESCENDING)], name="of_tenant"),
            IndexModel([("correlated", ASCENDING)], name="correlated", sparse=True),
            IndexModel([("outbox.at", ASCENDING)], name="owing", sparse=True),
        ],
        "pages": [IndexModel([("run_id", ASCENDING)], name="of_run")],
        "pieces": [IndexModel([("run_id", ASCENDING)], name="of_run")],
        "unprocessed": [
            IndexModel([("run_id", ASCENDING)], name="of_run"),
            IndexModel([("tenant_id", ASCENDING), ("flow_id", ASCENDING)], name="of_tenant"),
        ],
        "state": [
            IndexModel([("scope", ASCENDING)], name="of_scope"),
            IndexModel([("gone", ASCENDING)], name="gone", sparse=True),
        ],
        "state_changes": [IndexModel([("run_id", ASCENDING)], name="of_run")],
        "spool": [IndexModel([("writer", ASCENDING)], name="of_writer")],
    },
    {
        "runs": [
            IndexModel([("tenant_id", ASCENDING)], name="counting", partialFilterExpression={"counted": True}),
            IndexModel([("counted", ASCENDING)], name="not_folded", sparse=True),
        ],
        "message_counts": [
            IndexModel([("tenant_id", ASCENDING), ("day", ASCENDING)], name="of_tenant"),
            IndexModel([("flow_id", ASCENDING), ("day", ASCENDING)], name="of_flow"),
        ],
        "folds": [IndexModel([("done", ASCENDING), ("at", ASCENDING)], name="by_age")],
    },
    {
        "runs": [
            IndexModel([("waits_for", ASCENDING), ("created", ASCENDING)], name="waiting_for", sparse=True),
        ],
    },
]

_PLAIN = tuple(field.name for field in fields(Run) if field.name not in ("run_id", "content", "state"))


def new_document(run: NewRun, content: bytes | list[str], owner: str, now: float, mark: str) -> Document:
    """The document of a run that was just accepted, with the mark of the write that brings it."""
    document: Document = {
        "_id": run.run_id,
        "tenant_id": run.tenant_id,
        "flow_id": run.flow_id,
        "version": run.version,
        "trigger_id": run.trigger_id,
        "port": run.port,
        "event_id": run.event_id,
        "correlation_id": run.correlation_id,
        "caller": run.caller,
        "content": content,
        "state": int(RunState.RUNNING if run.owned else RunState.READY),
        "epoch": 1,
        "owner": owner if run.owned else "",
        "seq": 0,
        "turn": 0,
        "steps": 0,
        "pending": 1,
        "failed": 0,
        "created": now,
        "updated": now,
        "due": None,
        "suspended": False,
        "error": "",
        "deaths": 0,
        "suspect": "",
        "size": 0,
        "pages": [],
        "journal": [],
        "inbox": [],
        "outbox": [],
        "mark": mark,
    }
    if run.correlation_id != run.run_id:
        document["correlated"] = run.correlation_id
    return document


def run_of(document: Document, content: bytes) -> Run:
    plain = {name: document[name] for name in _PLAIN}
    return Run(run_id=document["_id"], content=content, state=RunState(document["state"]), **plain)


def inbox_of(document: Document) -> list[Inbound]:
    return [
        Inbound(entry["number"], entry["kind"], entry["delivery_id"], entry["content"]) for entry in document["inbox"]
    ]


def runs_where(query: RunFilter) -> Document:
    """What `query` asks for. A run that begins its own correlation is found by its id."""
    where: Document = {}
    if query.tenant_id is not None:
        where["tenant_id"] = query.tenant_id
    if query.flow_id:
        where["flow_id"] = query.flow_id
    if query.state is not None:
        where["state"] = int(query.state)
    if query.correlation_id:
        where["$or"] = [{"_id": query.correlation_id}, {"correlated": query.correlation_id}]
    return where
