"""headrace.process.v1, which every process answers: decode, call, encode."""

from __future__ import annotations

from headrace.process.v1 import process_service_pb2 as pb
from headrace.process.v1 import process_service_pb2_grpc as grpc_pb

from headrace_runtime.doctor import Finding
from headrace_runtime.process import Process
from headrace_runtime.settings import Given


class ProcessServicer(grpc_pb.ProcessServiceServicer):
    """Answers headrace.process.v1.ProcessService."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def DescribeProcess(self, request: pb.DescribeProcessRequest, context: object) -> pb.DescribeProcessResponse:
        found = await self._process.describe()
        answer = pb.DescribeProcessResponse(
            service=found.service,
            instance_id=found.instance_id,
            host=found.host,
            pid=found.pid,
            version=found.version,
            can_hold=found.can_hold,
            is_held=found.held is not None,
            held_by=found.held.by if found.held else "",
            numbers=found.numbers,
            settings=map(_setting, found.settings),
            findings=[_finding(subject, each) for subject, each in found.findings],
        )
        answer.started_at.FromDatetime(found.started_at)
        answer.now.FromDatetime(found.now)
        if found.held:
            answer.held_at.FromDatetime(found.held.at)
        return answer

    async def HoldProcess(self, request: pb.HoldProcessRequest, context: object) -> pb.HoldProcessResponse:
        if request.resume:
            await self._process.resume()
        else:
            await self._process.hold(request.by)
        return pb.HoldProcessResponse()


def register(process: Process, server: object) -> None:
    """Answer for the process at a gRPC or local server."""
    # The generated function takes grpc's own class, whose verb the servers of this house have.
    grpc_pb.add_ProcessServiceServicer_to_server(ProcessServicer(process), server)  # type: ignore[arg-type]


def _setting(given: Given) -> pb.ProcessSetting:
    about = given.about
    return pb.ProcessSetting(
        name=about.env,
        value=given.value,
        default_value=about.default or "",
        is_required=about.default is None,
        origin=given.origin,
        kind=about.kind,
        minimum=about.minimum or "",
        maximum=about.maximum or "",
        help=about.help,
        is_secret=about.is_secret,
    )


def _finding(subject: str, finding: Finding) -> pb.ProcessFinding:
    return pb.ProcessFinding(
        subject=subject, check=finding.check, level=finding.level, found=finding.found, advice=finding.advice
    )
