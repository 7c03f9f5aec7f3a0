"""One bulk request and what became of each of its items."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from elasticsearch import ApiError, AsyncElasticsearch
from headrace_core.errors import Unavailable
from headrace_runtime.elasticsearch import RETRY_HINT, translated

from headrace_logging.model import LogRecord

MAX_BYTES = 4 * 1024 * 1024
SHARD_SECONDS = 2
"""How long the server waits for a shard that is just coming up."""

_NOT_NOW = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Item:
    """A record on its way: where to, under which id, as which JSON."""

    record: LogRecord
    day: str
    alias: str
    document_id: str
    body: bytes


@dataclass(slots=True)
class Outcome:
    """The items by what became of them, and why it did."""

    created: list[Item] = field(default_factory=list)
    known: list[Item] = field(default_factory=list)
    refused: list[Item] = field(default_factory=list)
    again: list[Item] = field(default_factory=list)
    homeless: list[Item] = field(default_factory=list)
    """Their index is not there."""
    blocked: str = ""
    """Why the cluster takes no writes at all, for instance because its disks are full."""
    reason: str = ""
    """Of the last item that was refused or has to come again."""


async def create(client: AsyncElasticsearch, items: Sequence[Item], *, refresh: bool) -> Outcome:
    """Write each item unless its id is there, in requests of bounded size. Raises Unavailable without an answer."""
    outcome = Outcome()
    for chunk in chunks(items, MAX_BYTES):
        for item, answer in zip(chunk, await _sent(client, chunk, refresh), strict=True):
            _sort(item, answer["create"], outcome)
    return outcome


def chunks(items: Sequence[Item], max_bytes: int) -> list[list[Item]]:
    """The items in order, in parts of about that many bytes; at least one in each."""
    parts: list[list[Item]] = []
    size = max_bytes
    for item in items:
        if size + len(item.body) > max_bytes:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += len(item.body)
    return parts


async def _sent(client: AsyncElasticsearch, items: Sequence[Item], refresh: bool) -> list[dict[str, Any]]:
    operations: list[dict[str, Any] | bytes] = []
    for item in items:
        operations += ({"create": {"_index": item.alias, "_id": item.document_id, "require_alias": True}}, item.body)
    try:
        with translated():
            answer = await client.bulk(
                # The driver writes bytes as they are; its types do not say so.
                operations=cast("list[dict[str, Any]]", operations),
                refresh=refresh,
                timeout=f"{SHARD_SECONDS}s",
                filter_path=["items.*.status", "items.*.error.type", "items.*.error.reason"],
            )
    except ApiError as error:
        # Items are refused one by one: a refusal of the whole request is no judgement on any of them.
        raise Unavailable(f"Elasticsearch takes no bulk request: {error}", retry_after=RETRY_HINT) from error
    found: list[dict[str, Any]] = answer["items"]
    return found


def _sort(item: Item, answer: dict[str, Any], outcome: Outcome) -> None:
    status, error = answer["status"], answer.get("error", {})
    reason = f"{error.get('type', status)}: {error.get('reason', '')}"[:300]
    if status in (200, 201):
        outcome.created.append(item)
    elif status == 409:
        outcome.known.append(item)
    elif status == 403 or error.get("type") == "cluster_block_exception":
        outcome.blocked = reason
        outcome.again.append(item)
    elif status == 404:
        outcome.homeless.append(item)
    elif status in _NOT_NOW:
        outcome.reason = reason
        outcome.again.append(item)
    else:
        outcome.reason = reason
        outcome.refused.append(item)
