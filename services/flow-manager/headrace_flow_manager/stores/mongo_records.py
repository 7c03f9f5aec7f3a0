"""A record of a data store as a document of MongoDB, with what its last change still owes.

A record and the news of its change are one document, so that one write makes both. Besides the record it holds

    revision      greater with every change; whoever changes the record names the one that was read
    change_id     of the last change: follows from the request id where there is one
    old_value     what stood there before it
    requested_at  present while the last change has a request id: its answer must be remembered
    untold        present while the last change is not in the outbox: the triggers that must hear of it
    untold_at     the revision, where `untold` is: by it the relay finds the document
    live          False when the last change took the record away
    gone_at       when a document that is not live and owes nothing may vanish

What is owed is copied out under ids that follow from the change, before the next change takes its place. A document
that is not live stays some minutes, so that a slow writer who saw the record is noticed by its revision.
"""

from collections.abc import Sequence
from datetime import datetime

from headrace_core.ids import derive_id
from headrace_runtime.mongo import Document

from headrace_flow_manager import json_text, query, times
from headrace_flow_manager.data_stores.model import Change, ChangeType, Delivery, Listener, Record, Written
from headrace_flow_manager.stores.values import parsed, shown


class Revisions:
    """Numbers that grow: from change to change of a record everywhere, and from any to any in this process.

    They follow the clock, so that those of different processes come about in the order of their time.
    """

    def __init__(self) -> None:
        self._last = 0

    def next(self, now: datetime, before: Document | None) -> int:
        """A number above that of the document and all that were given out here."""
        self._last = max(times.to_micros(now), self._last + 1, before["revision"] + 1 if before else 0)
        return self._last


def id_of(store_id: str, key: str) -> str:
    """The document's id of the record at this place."""
    return derive_id("record", store_id, key)


def written_document(
    tenant: str, written: Written, change_id: str, revision: int, listeners: Sequence[Listener]
) -> Document:
    """The document after a record was written."""
    record = written.record
    document: Document = {
        "_id": id_of(record.store_id, record.key),
        "tenant_id": tenant,
        "store_id": record.store_id,
        "key": record.key,
        "live": True,
        "value": record.value,
        "old_value": written.old_value,
        "created_at": times.to_micros(record.created_at),
        "updated_at": times.to_micros(record.updated_at),
        "revision": revision,
        "change_id": change_id,
    }
    return document | _untold(document, listeners)


def deleted_document(
    before: Document, change_id: str, revision: int, listeners: Sequence[Listener], now: datetime
) -> Document:
    """The document after the record was taken away."""
    document: Document = {
        **{name: before[name] for name in ("_id", "tenant_id", "store_id", "key", "value", "created_at")},
        "live": False,
        "old_value": before["value"],
        "updated_at": times.to_micros(now),
        "revision": revision,
        "change_id": change_id,
    }
    untold = _untold(document, listeners)
    if untold:
        return document | untold
    del document["value"], document["old_value"]
    return document | {"gone_at": now}


def record_of(document: Document) -> Record:
    """The record in it."""
    created_at, updated_at = times.from_micros(document["created_at"]), times.from_micros(document["updated_at"])
    return Record(document["store_id"], document["key"], document["value"], created_at, updated_at)


def written_of(document: Document) -> Written:
    """The answer to whoever made the last change."""
    return Written(record_of(document), document["old_value"])


def public(document: Document) -> tuple[str, query.Record]:
    """The key, and the record as queries see it."""
    return (
        document["key"],
        {
            "key": document["key"],
            "storeId": document["store_id"],
            "userId": document["tenant_id"],
            "value": parsed(document["value"]),
            "createdAt": shown(document["created_at"]),
            "updatedAt": shown(document["updated_at"]),
        },
    )


def answers_owed(document: Document) -> list[Document]:
    """What has to be remembered of the request of the last change."""
    if "requested_at" not in document:
        return []
    names = ("tenant_id", "store_id", "key", "value", "old_value", "created_at", "updated_at")
    return [{"_id": document["change_id"], **{name: document[name] for name in names}}]


def deliveries_owed(document: Document) -> list[Document]:
    """What belongs into the outbox for the last change."""
    untold = document.get("untold", [])
    if not untold:
        return []
    old_value = document["old_value"]
    change = Change(
        type=_type_of(document),
        store_id=document["store_id"],
        key=document["key"],
        value=parsed(document["value"]),
        old_value=None if old_value is None else parsed(old_value),
        at=times.from_micros(document["updated_at"]),
    )
    content = json_text.encode(change.to_json())
    return [
        {
            "_id": delivery_id(document["change_id"], flow_id, node_id),
            "order": document["revision"],
            "change_id": document["change_id"],
            "tenant_id": document["tenant_id"],
            "flow_id": flow_id,
            "node_id": node_id,
            "content": content,
            "attempts": 0,
            "due_at": document["updated_at"],
        }
        for flow_id, node_id in untold
    ]


def told(document: Document) -> Document:
    """The update once its deliveries are in the outbox."""
    if document["live"]:
        return {"$unset": {"untold": "", "untold_at": ""}}
    spent = {"untold": "", "untold_at": "", "value": "", "old_value": ""}
    return {"$unset": spent, "$set": {"gone_at": times.from_micros(document["updated_at"])}}


def delivery_id(change_id: str, flow_id: str, node_id: str) -> str:
    """The id of a change on its way to one trigger."""
    return derive_id("delivery", change_id, flow_id, node_id)


def delivery_of(document: Document) -> Delivery:
    """The delivery in a document of the outbox. Its number puts deliveries in order and is no other's."""
    return Delivery(
        number=(document["order"] << 128) + int(document["_id"], 16),
        change_id=document["change_id"],
        tenant_id=document["tenant_id"],
        flow_id=document["flow_id"],
        node_id=document["node_id"],
        content=document["content"],
        attempts=document["attempts"],
    )


def _untold(document: Document, listeners: Sequence[Listener]) -> Document:
    kind = _type_of(document)
    untold = [[each.flow_id, each.node_id] for each in listeners if kind in each.events]
    return {"untold": untold, "untold_at": document["revision"]} if untold else {}


def _type_of(document: Document) -> ChangeType:
    if not document["live"]:
        return "delete"
    return "insert" if document["old_value"] is None else "update"
