"""Every process of every service: how it is, and holding its work back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from headrace.process.v1 import process_service_pb2 as pb
from headrace.process.v1.process_service_pb2_grpc import ProcessServiceStub
from headrace_core import Json, errors
from headrace_core.clock import Clock
from headrace_runtime.process import Described, Process
from headrace_runtime.rpc import Channel, Replicas

from headrace_gateway.clients.wire import iso, moment

ASK_SECONDS = 6.0
GATEWAY = "gateway"


class Processes:
    """The processes behind the gateway, the gateway's own, and the other gateways where their address is known."""

    def __init__(self, replicas: Mapping[str, Replicas], own: Process, clock: Clock) -> None:
        self._replicas = replicas
        self._own = own
        self._clock = clock

    async def all(self) -> list[dict[str, Json]]:
        """Each process, by service and place. One that does not answer is told as `away`, with the reason."""
        found = await asyncio.gather(*(self._of(name, each) for name, each in self._replicas.items()))
        every = [_own(await self._own.describe()), *(process for some in found for process in some)]
        # A process has an address in each network that it is in, and this one is behind the gateways' own.
        seen: dict[str, dict[str, Json]] = {}
        for each in every:
            seen.setdefault(str(each.get("instanceId") or f"{each['service']} {each['place']}"), each)
        order = (GATEWAY, *(name for name in self._replicas if name != GATEWAY))
        return sorted(seen.values(), key=lambda each: order.index(str(each["service"])))

    async def hold(self, service: str, instance_id: str, *, by: str, resume: bool) -> dict[str, Json]:
        """Keep a process from beginning new work, or let it begin again, as `by` says; how it is then.

        Raises NotFound where no such process answers, Unsupported for one that has nothing to hold back.
        """
        if service == GATEWAY and instance_id == self._own.instance_id:
            await self._own.hold(by)
        channels = await self._replicas[service].channels() if service in self._replicas else {}
        for place, channel in channels.items():
            found = await self._described(service, place, channel)
            if found.get("instanceId") == instance_id:
                request = pb.HoldProcessRequest(resume=resume, by=by)
                await ProcessServiceStub(channel).HoldProcess(request, timeout=ASK_SECONDS)
                return await self._described(service, place, channel)
        raise errors.NotFound(f"process of the {service[:40]}", instance_id[:100])

    async def _of(self, service: str, replicas: Replicas) -> list[dict[str, Json]]:
        try:
            channels = await replicas.channels()
        except errors.HeadraceError as error:
            return [{"service": service, "place": "", "state": "away", "error": error.message}]
        return list(await asyncio.gather(*(self._described(service, place, each) for place, each in channels.items())))

    async def _described(self, service: str, place: str, channel: Channel) -> dict[str, Json]:
        before = self._clock.now()
        try:
            answer = await ProcessServiceStub(channel).DescribeProcess(pb.DescribeProcessRequest(), timeout=ASK_SECONDS)
        except errors.HeadraceError as error:
            return {"service": service, "place": place, "state": "away", "error": error.message}
        took = self._clock.now() - before
        skew = answer.now.ToDatetime(tzinfo=UTC) - (before + took / 2)
        return {
            "service": service,
            "place": place,
            "state": "held" if answer.is_held else "serving",
            "instanceId": answer.instance_id,
            "host": answer.host,
            "pid": answer.pid,
            "version": answer.version,
            "started": moment(answer, "started_at"),
            "clockSkewSeconds": round(skew.total_seconds(), 3),
            "answeredInMs": round(took.total_seconds() * 1000, 1),
            "canHold": answer.can_hold,
            "heldAt": moment(answer, "held_at"),
            "heldBy": answer.held_by or None,
            "numbers": dict(answer.numbers),
            "settings": [_setting(each) for each in answer.settings],
            "findings": [
                {
                    "subject": each.subject,
                    "check": each.check,
                    "level": each.level,
                    "found": each.found,
                    "advice": each.advice,
                }
                for each in answer.findings
            ],
        }


def _setting(each: pb.ProcessSetting) -> dict[str, Json]:
    return {
        "name": each.name,
        "value": each.value,
        "default": None if each.is_required else each.default_value,
        "origin": each.origin,
        "kind": each.kind,
        "minimum": each.minimum or None,
        "maximum": each.maximum or None,
        "help": each.help,
        "isSecret": each.is_secret,
    }


def _own(found: Described) -> dict[str, Json]:
    started: datetime = found.started_at
    return {
        "service": found.service,
        "place": "here",
        "state": "serving",
        "instanceId": found.instance_id,
        "host": found.host,
        "pid": found.pid,
        "version": found.version,
        "started": iso(started),
        "clockSkewSeconds": 0.0,
        "answeredInMs": 0.0,
        "canHold": False,
        "numbers": dict(found.numbers),
        "settings": [
            {
                "name": each.about.env,
                "value": each.value,
                "default": each.about.default,
                "origin": each.origin,
                "kind": each.about.kind,
                "minimum": each.about.minimum,
                "maximum": each.about.maximum,
                "help": each.about.help,
                "isSecret": each.about.is_secret,
            }
            for each in found.settings
        ],
        "findings": [each.to_json(subject) for subject, each in found.findings],
    }
