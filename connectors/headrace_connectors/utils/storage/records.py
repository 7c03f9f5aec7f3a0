"""The fields of the storage nodes, and what their outputs tell of a record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from headrace_core import Json
from headrace_sdk import CancelError, Condition, Context, JsonObject

PAGE = 100
MAX_KEYS = 1000
MAX_KEY_LENGTH = 1024


def fields(context: Context) -> JsonObject:
    """The fields of the node; empty when what arrived is no object."""
    return context.content if isinstance(context.content, dict) else {}


def store_id(source: JsonObject) -> str:
    """The id of the store. Raises `CancelError` when there is none."""
    found = source.get("storeId")
    if not isinstance(found, str) or not found.strip():
        raise CancelError("The field storeId is empty: choose a data store.")
    return found.strip()


def key(source: JsonObject, field: str = "key") -> str:
    """The key, as text. Raises `CancelError` when there is none, or one that is too long."""
    found = source.get(field)
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not found:
        raise CancelError(f"The field {field} is empty: give the item's key.")
    if len(found) > MAX_KEY_LENGTH:
        raise CancelError(f"The field {field} has {len(found)} characters; a key has at most {MAX_KEY_LENGTH}.")
    return found


def rows(source: JsonObject, field: str) -> list[JsonObject]:
    """The rows of an expression field, `{"AND": [{…}]}`. Raises `CancelError` for more than 1000."""
    given = source.get(field)
    listed = given.get("AND") if isinstance(given, dict) else given
    found = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    if len(found) > MAX_KEYS:
        raise CancelError(f"The field {field} has {len(found)} rows; at most {MAX_KEYS} are taken at once.")
    return found


def written(record: JsonObject, value: Json) -> JsonObject:
    """What is told of a record that was written: the record with its old and new value."""
    return {**record, "oldValue": record.get("oldValue"), "newValue": value}


async def everything(
    context: Context, store: str, query: Sequence[Condition] | None = None, *, limit: int
) -> AsyncIterator[JsonObject]:
    """All records that meet the conditions, page by page. Raises `CancelError` when there are more than `limit`."""
    offset = 0
    while True:
        page = await context.store.find(store, query=query, offset=offset, limit=PAGE)
        for record in page:
            yield record
        offset += len(page)
        if len(page) < PAGE:
            return
        if offset >= limit:
            raise CancelError(f"There are more than {limit} items; narrow it down.")
