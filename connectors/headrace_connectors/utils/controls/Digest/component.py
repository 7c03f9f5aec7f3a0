"""Entries are collected and leave together."""

import csv
import io
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_core.schedules import Cron, Schedule
from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_list, as_number, as_object, as_text

_COUNT: Json = {"label": "Entries count", "value": "count", "schema": {"type": "integer"}}
_ONE_BY_ONE: list[Json] = [
    {"label": "Entry index", "value": "index", "schema": {"type": "integer"}},
    _COUNT,
    {"label": "Entry", "value": "entry"},
]
_FILE_ID: Json = {"label": "File ID", "value": "fileId", "schema": {"type": "string", "format": "appmixer-file-id"}}
_CLOCK_FIELDS = ("minute", "hour", "dayMonth", "dayWeek")


class Digest(Component):
    """Keeps entries until there are `threshold` of them, until the clock says so, or until its webhook is called.

    Entries lie in batches. A batch is closed by counting up its number, which happens once per step however often the
    step is repeated; the closed batch then belongs to that step alone.
    """

    options: ClassVar[Mapping[str, list[Json]]] = {
        "first": _ONE_BY_ONE,
        "object": _ONE_BY_ONE,
        "array": [_COUNT, {"label": "Entries", "value": "entries", "schema": {"type": "array"}}],
        "file": [_COUNT, _FILE_ID],
    }

    def schedule(self, properties: Mapping[str, Json]) -> Schedule | None:
        fields = {name: as_text(properties.get(name)).strip() for name in _CLOCK_FIELDS}
        if not any(fields.values()):
            return None
        try:
            return Cron(
                minute=fields["minute"] or "0",
                hour=fields["hour"] or "*",
                day_of_month=fields["dayMonth"] or "*",
                month="*",
                day_of_week=fields["dayWeek"] or "*",
                zone=as_text(properties.get("timezone")) or "UTC",
            )
        except ValidationFailed as error:
            raise CancelError(f"The schedule makes no sense. {error.message}") from error

    async def receive(self, context: Context) -> None:
        if context.properties.get("getWebhookUrl"):
            await context.send_json({"inputs": {"webhookUrl": {"defaultValue": context.webhook_url()}}})
        elif context.properties.get("generateOutputPortOptions"):
            await context.send_json(self.options[_output_type(context)])
        else:
            # Nobody may add to a batch between its closing and its reading.
            async with context.lock(f"digest {context.node_id}", ttl=timedelta(seconds=60), retries=100):
                await self._handle(context)

    async def _handle(self, context: Context) -> None:
        match context.port:
            case "webhook":
                await _send(context, await _close(context))
                await context.response({})
            case "schedule":
                if len(await _open_entries(context)) >= max(1, _threshold(context)):
                    await _send(context, await _close(context))
            case _:
                await _add(context)


async def _add(context: Context) -> None:
    kept = await _keep(context, {"id": context.idempotency_key, "entry": as_object(context.content).get("entry")})
    threshold = _threshold(context)
    if threshold and len(kept) >= threshold:
        # A repeated step may find that others have sent its batch meanwhile: then it closes the next one early.
        entries = await _close(context)
        if entries:
            await _send(context, entries)


async def _keep(context: Context, entry: Json) -> list[Json]:
    """Add the entry to the open batch. A step cut short in here may come back when its batch is closed: then again."""
    while True:
        number = await _open_batch(context)
        kept = await context.state.add_to_set(_batch(number), entry)
        if await _open_batch(context) == number:
            return kept


async def _open_batch(context: Context) -> int | float:
    # Adding nothing reads the number in a way that a repeated step reads again.
    return await context.state.inc("batch", 0)


def _batch(number: int | float) -> str:
    return f"batch {number}"


async def _open_entries(context: Context) -> list[Json]:
    return as_list(await context.state.get(_batch(await _open_batch(context))))


async def _close(context: Context) -> list[Json]:
    key = _batch(await context.state.inc("batch") - 1)
    entries = as_list(await context.state.get(key))
    await context.state.unset(key)
    return entries


async def _send(context: Context, kept: list[Json]) -> None:
    entries = [as_object(each)["entry"] for each in kept]
    count = len(entries)
    match _output_type(context):
        case "array":
            await context.send_json({"entries": entries, "count": count})
        case "file" if entries:
            name = f"digest-{context.now:%Y-%m-%dT%H-%M-%S}.csv"
            file = await context.files.save(name, _csv(entries), "text/csv")
            await context.send_json({"fileId": file.file_id, "count": count})
        case "first" if entries:
            await context.send_json({"entry": entries[0], "index": 0, "count": count})
        case "object":
            for index, entry in enumerate(entries):
                await context.send_json({"entry": entry, "index": index, "count": count})


def _csv(entries: list[Json]) -> bytes:
    lines = [each if isinstance(each, dict) else {"entry": each} for each in entries]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for line in lines for name in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: as_text(value) for name, value in line.items()} for line in lines)
    return text.getvalue().encode()


def _output_type(context: Context) -> str:
    chosen = as_text(context.properties.get("outputType")) or "array"
    if chosen not in Digest.options:
        raise CancelError(f"There is no output type {chosen!r}: choose one of {', '.join(Digest.options)}.")
    return chosen


def _threshold(context: Context) -> int | float:
    return as_number(context.properties.get("threshold")) or 0
