"""Failures on the wire between executor and runner."""

from __future__ import annotations

import orjson
from headrace.runner.v1 import runner_pb2 as data_pb
from headrace_runtime.failures import Failure


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
