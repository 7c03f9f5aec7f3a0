"""Reading and changing the stored CSV file that a node names."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias, TypeVar

from headrace_core import Json
from headrace_sdk import CancelError, Context, JsonObject, reading

from headrace_connectors.utils.csv import sheet
from headrace_connectors.utils.csv.sheet import Dialect, Sheet

LOCK_TIME = timedelta(minutes=1)

Found = TypeVar("Found")
Change: TypeAlias = Callable[[Sheet], Sheet]
"""Makes another sheet of one. It runs in a thread, and again when its step is repeated."""


def fields(context: Context) -> JsonObject:
    """The fields of the node."""
    return reading.as_object(context.content)


def has_header(context: Context) -> bool:
    """Whether the node names columns by the first row; it does unless it was switched off."""
    return reading.as_flag(context.properties.get("withHeaders", True))


def dialect(given: JsonObject, *, with_header: bool) -> Dialect:
    """How the fields of a node say the file is to be read."""
    return Dialect(
        delimiter=sheet.delimiter(given.get("delimiter")),
        has_header=with_header,
        parses_numbers=reading.as_flag(given.get("parseNumbers", True)),
        parses_booleans=reading.as_flag(given.get("parseBooleans", True)),
    )


def file_id(given: JsonObject) -> str:
    """The id of the file. Raises `CancelError` when there is none."""
    found = given.get("fileId")
    if isinstance(found, dict):
        found = found.get("fileId")
    if not isinstance(found, str) or not found:
        raise CancelError("The field fileId is empty: choose a file.")
    return found


def required(given: JsonObject, field: str) -> str:
    """A text that must be there. Raises `CancelError` when it is not."""
    found = reading.as_text(given.get(field))
    if not found:
        raise CancelError(f"The field {field} is empty.")
    return found


async def load(context: Context, given: JsonObject) -> bytes:
    """The content of the node's file. Raises `CancelError` when it is larger than a CSV file may be."""
    target = file_id(given)
    sheet.check_size((await context.files.info(target)).size_bytes)
    return await context.files.load(target)


async def find(context: Context, given: JsonObject, how: Dialect, pick: Callable[[Sheet], Found]) -> Found:
    """What `pick` finds in the file of the node. Large files take a while; the event loop goes on meanwhile."""
    content = await load(context, given)
    return await asyncio.to_thread(lambda: pick(sheet.read(content, how)))


async def edit(context: Context, how: Dialect, change: Change) -> None:
    """Change the file of the node in place and send its id to `fileId`.

    Nodes that edit one file wait for each other. A repeated step does not edit twice: before it writes it
    notes what the file was and becomes. When somebody else edited in between, nobody can know whether
    this edit is in the file, and `CancelError` says so.
    """
    target = file_id(fields(context))
    async with context.lock(f"csv:{target}", ttl=LOCK_TIME):
        before = await load(context, {"fileId": target})
        note = f"edit:{context.step_id}"
        planned = await context.run_state.get(note)
        if planned is None:
            after = await asyncio.to_thread(_changed, before, how, change)
            await context.run_state.add_to_set(note, [_print(before), _print(after)])
            await context.files.replace(target, after)
        else:
            await _resume(context, target, before, _plan(planned), lambda: _changed(before, how, change))
        # The note goes with the step's commit; a run of many edits does not pile up notes.
        await context.run_state.unset(note)
    await context.send_json({"fileId": target}, "fileId")


async def _resume(
    context: Context, target: str, found: bytes, plan: tuple[str, str], make: Callable[[], bytes]
) -> None:
    was, becomes = plan
    if _print(found) == becomes:
        return
    if _print(found) != was:
        raise CancelError(
            "This step was interrupted and the file was changed by others since: look whether its edit is in it."
        )
    await context.files.replace(target, await asyncio.to_thread(make))


def _plan(planned: Json) -> tuple[str, str]:
    listed = planned[0] if isinstance(planned, list) and planned else None
    if not isinstance(listed, list) or len(listed) != 2:
        raise CancelError("The note of an interrupted edit cannot be read.")
    return str(listed[0]), str(listed[1])


def _changed(content: bytes, how: Dialect, change: Change) -> bytes:
    return sheet.write(change(sheet.read(content, how)), how)


def _print(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
