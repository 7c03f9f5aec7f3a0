"""System webhooks and what was told to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headrace.hook.v1 import hook_service_pb2 as pb
from headrace.hook.v1.hook_service_pb2_grpc import HookServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_value, moment, scope_to_proto
from headrace_gateway.identity import Scope

SENDING_SECONDS = 15.0
"""How long one try may take, as the flow manager has it, and a little more."""


@dataclass(frozen=True, slots=True)
class WantedHook:
    """A webhook as somebody wants it."""

    url: str
    events: Sequence[str]
    description: str
    tenants: Sequence[str]
    active: bool


@dataclass(frozen=True, slots=True)
class WhichDeliveries:
    """Which deliveries are meant; "" and None mean all."""

    hook_id: str = ""
    event: str = ""
    state: str = ""
    tenant_id: str = ""
    before: datetime | None = None
    after: datetime | None = None


class HookClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = HookServiceStub(channel)
        self._timeout = timeout_seconds

    async def all(self) -> list[dict[str, Json]]:
        """All of them."""
        return [
            _hook(each) for each in (await self._stub.ListHooks(pb.ListHooksRequest(), timeout=self._timeout)).hooks
        ]

    async def get(self, hook_id: str) -> tuple[dict[str, Json], str]:
        """One and its tag. Raises NotFound."""
        hook = (await self._stub.GetHook(pb.GetHookRequest(hook_id=hook_id), timeout=self._timeout)).hook
        return _hook(hook), hook.tag

    async def create(self, scope: Scope, wanted: WantedHook) -> tuple[dict[str, Json], str]:
        """A new one with its secret, and its tag. Raises ValidationFailed, Conflict, Unsupported."""
        request = pb.CreateHookRequest(scope=scope_to_proto(scope), hook=_wanted("", wanted))
        answer = await self._stub.CreateHook(request, timeout=self._timeout)
        return {**_hook(answer.hook), "secret": answer.secret}, answer.hook.tag

    async def update(
        self, scope: Scope, hook_id: str, wanted: WantedHook, expected_tag: str
    ) -> tuple[dict[str, Json], str]:
        """It as it is now, and its tag. Raises NotFound, ValidationFailed, Conflict, RevisionConflict."""
        request = pb.UpdateHookRequest(
            scope=scope_to_proto(scope), hook=_wanted(hook_id, wanted), expected_tag=expected_tag
        )
        hook = (await self._stub.UpdateHook(request, timeout=self._timeout)).hook
        return _hook(hook), hook.tag

    async def renew_secret(self, scope: Scope, hook_id: str) -> dict[str, Json]:
        """It with its new secret. Raises NotFound, Conflict, RevisionConflict."""
        request = pb.RenewSecretRequest(scope=scope_to_proto(scope), hook_id=hook_id)
        answer = await self._stub.RenewSecret(request, timeout=self._timeout)
        return {**_hook(answer.hook), "secret": answer.secret}

    async def delete(self, scope: Scope, hook_id: str, expected_tag: str) -> None:
        """Take one away. Raises NotFound, Conflict, RevisionConflict."""
        request = pb.DeleteHookRequest(scope=scope_to_proto(scope), hook_id=hook_id, expected_tag=expected_tag)
        await self._stub.DeleteHook(request, timeout=self._timeout)

    async def test(self, hook_id: str, event: str) -> dict[str, Json]:
        """What came of telling it an example. Raises NotFound, ValidationFailed."""
        request = pb.TestHookRequest(hook_id=hook_id, event=event)
        return _told((await self._stub.TestHook(request, timeout=self._timeout + SENDING_SECONDS)).delivery)

    async def deliveries(self, which: WhichDeliveries, offset: int, limit: int) -> tuple[list[dict[str, Json]], int]:
        """A page, the newest first, and how many there are."""
        request = pb.ListDeliveriesRequest(
            hook_id=which.hook_id,
            event=which.event,
            state=which.state,
            tenant_id=which.tenant_id,
            offset=offset,
            limit=limit,
        )
        if which.before is not None:
            request.before.FromDatetime(which.before)
        if which.after is not None:
            request.after.FromDatetime(which.after)
        answer = await self._stub.ListDeliveries(request, timeout=self._timeout)
        return [_told(each) for each in answer.deliveries], answer.total

    async def delivery(self, delivery_id: str) -> dict[str, Json]:
        """One with its body. Raises NotFound."""
        request = pb.GetDeliveryRequest(delivery_id=delivery_id)
        return _told((await self._stub.GetDelivery(request, timeout=self._timeout)).delivery)

    async def deliver_again(self, delivery_id: str) -> dict[str, Json]:
        """It, pending. Raises NotFound, Conflict."""
        request = pb.DeliverAgainRequest(delivery_id=delivery_id)
        return _told((await self._stub.DeliverAgain(request, timeout=self._timeout)).delivery)


def _wanted(hook_id: str, wanted: WantedHook) -> pb.Hook:
    return pb.Hook(
        hook_id=hook_id,
        url=wanted.url,
        events=wanted.events,
        description=wanted.description,
        tenants=wanted.tenants,
        active=wanted.active,
    )


def _hook(hook: pb.Hook) -> dict[str, Json]:
    return {
        "id": hook.hook_id,
        "url": hook.url,
        "events": list[Json](hook.events),
        "description": hook.description,
        "users": list[Json](hook.tenants),
        "active": hook.active,
        "isConfigured": hook.is_plain,
        "mtime": moment(hook, "changed_at"),
        "changedBy": hook.changed_by or None,
    }


def _told(delivery: pb.Delivery) -> dict[str, Json]:
    found: dict[str, Json] = {
        "id": delivery.delivery_id,
        "webhookId": delivery.hook_id,
        "event": delivery.event,
        "userId": delivery.tenant_id or None,
        "at": moment(delivery, "at"),
        "state": delivery.state,
        "nextTry": moment(delivery, "due"),
        "attempts": delivery.attempts,
        "status": delivery.status or None,
        "answer": delivery.answer or None,
        "error": delivery.error or None,
        "created": moment(delivery, "created_at"),
        "ended": moment(delivery, "ended_at"),
    }
    return {**found, "body": json_value(delivery.body.encode())} if delivery.body else found
