"""Failures, and what goes with messages, on the wire between executor and runner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import orjson
from headrace.runner.v1 import runner_pb2 as data_pb
from headrace_core.expressions import Json
from headrace_runtime.failures import Failure
from headrace_sdk.context import JsonObject
from headrace_sdk.errors import CancelError


class Sender(Protocol):
    """Sends messages, as `headrace_sdk.Context` does."""

    async def send_json(
        self,
        value: Json,
        port: str = "out",
        *,
        scope: Mapping[str, Json] | None = None,
        headers: Mapping[str, Json] | None = None,
    ) -> None: ...


async def send(context: Sender, output: data_pb.Output) -> None:
    """Send what a component sent. Raises CancelError for what it may not send."""
    scope, headers = _object("scope", output.scope), _object("headers", output.headers)
    await context.send_json(orjson.loads(output.content), output.port, scope=scope, headers=headers)


def _object(name: str, text: bytes) -> JsonObject | None:
    found: Json = orjson.loads(text) if text else None
    if found is not None and not isinstance(found, dict):
        raise CancelError(f"The {name} of a message is an object.")
    return found


def failure_to_proto(failure: Failure) -> data_pb.Failure:
    """A failure for the wire."""
    found = data_pb.Failure(
        kind=failure.kind,
        name=failure.name,
        message=failure.message,
        code=failure.code,
        data=b"" if failure.data is None else orjson.dumps(failure.data),
        status=failure.status,
        which=failure.which,
    )
    if failure.retry_after is not None:
        found.retry_after.FromTimedelta(failure.retry_after)
    return found


def failure_from_proto(failure: data_pb.Failure) -> Failure:
    """What `failure_to_proto` wrote."""
    return Failure(
        kind=failure.kind,
        name=failure.name,
        message=failure.message,
        code=failure.code,
        data=orjson.loads(failure.data) if failure.data else None,
        retry_after=failure.retry_after.ToTimedelta() if failure.HasField("retry_after") else None,
        status=failure.status,
        which=failure.which,
    )
