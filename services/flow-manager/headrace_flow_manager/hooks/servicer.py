"""headrace.hook.v1: decode, call, encode."""

from datetime import UTC

from headrace.hook.v1 import hook_service_pb2 as pb
from headrace.hook.v1 import hook_service_pb2_grpc as grpc_pb
from headrace_core.errors import BadRequest
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.happenings import Happening
from headrace_flow_manager.hooks.book import Wanted
from headrace_flow_manager.hooks.model import Delivery, DeliveryFilter, Hook
from headrace_flow_manager.hooks.service import MAX_HAPPENINGS, HookService
from headrace_flow_manager.servicer import scope_of, timestamp


class HookServicer(grpc_pb.HookServiceServicer):
    """Answers headrace.hook.v1.HookService."""

    def __init__(self, hooks: HookService) -> None:
        self._hooks = hooks

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_HookServiceServicer_to_server(self, server)

    async def ListHooks(self, request: pb.ListHooksRequest, context: object) -> pb.ListHooksResponse:
        return pb.ListHooksResponse(hooks=map(_shown, await self._hooks.book.all()))

    async def GetHook(self, request: pb.GetHookRequest, context: object) -> pb.GetHookResponse:
        return pb.GetHookResponse(hook=_shown(await self._hooks.book.get(request.hook_id)))

    async def CreateHook(self, request: pb.CreateHookRequest, context: object) -> pb.CreateHookResponse:
        hook, secret = await self._hooks.create(scope_of(request.scope).actor_id, _wanted(request.hook))
        return pb.CreateHookResponse(hook=_shown(hook), secret=secret)

    async def UpdateHook(self, request: pb.UpdateHookRequest, context: object) -> pb.UpdateHookResponse:
        actor, given = scope_of(request.scope).actor_id, request.hook
        hook = await self._hooks.update(actor, given.hook_id, _wanted(given), request.expected_tag)
        return pb.UpdateHookResponse(hook=_shown(hook))

    async def RenewSecret(self, request: pb.RenewSecretRequest, context: object) -> pb.RenewSecretResponse:
        hook, secret = await self._hooks.book.renew_secret(scope_of(request.scope).actor_id, request.hook_id)
        return pb.RenewSecretResponse(hook=_shown(hook), secret=secret)

    async def DeleteHook(self, request: pb.DeleteHookRequest, context: object) -> pb.DeleteHookResponse:
        scope_of(request.scope)
        await self._hooks.delete(request.hook_id, request.expected_tag)
        return pb.DeleteHookResponse()

    async def TestHook(self, request: pb.TestHookRequest, context: object) -> pb.TestHookResponse:
        return pb.TestHookResponse(delivery=_told(await self._hooks.test(request.hook_id, request.event)))

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: object) -> pb.ListDeliveriesResponse:
        which = DeliveryFilter(
            hook_id=request.hook_id,
            event=request.event,
            state=request.state,
            tenant_id=request.tenant_id,
            before=request.before.ToDatetime(tzinfo=UTC) if request.HasField("before") else None,
            after=request.after.ToDatetime(tzinfo=UTC) if request.HasField("after") else None,
        )
        found, total = await self._hooks.deliveries(which, request.offset, request.limit or 100)
        return pb.ListDeliveriesResponse(deliveries=[_told(each, with_body=False) for each in found], total=total)

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: object) -> pb.GetDeliveryResponse:
        return pb.GetDeliveryResponse(delivery=_told(await self._hooks.delivery(request.delivery_id)))

    async def DeliverAgain(self, request: pb.DeliverAgainRequest, context: object) -> pb.DeliverAgainResponse:
        return pb.DeliverAgainResponse(delivery=_told(await self._hooks.deliver_again(request.delivery_id)))

    async def Announce(self, request: pb.AnnounceRequest, context: object) -> pb.AnnounceResponse:
        if len(request.happenings) > MAX_HAPPENINGS:
            raise BadRequest(f"{MAX_HAPPENINGS} happenings are announced at once at most.")
        await self._hooks.announce([_happening(each) for each in request.happenings])
        return pb.AnnounceResponse()


def _wanted(given: pb.Hook) -> Wanted:
    return Wanted(given.url, tuple(given.events), given.description, tuple(given.tenants), given.active)


def _happening(given: pb.Happening) -> Happening:
    data = json_text.decode_object(given.data, "happening")
    return Happening(given.event_id, given.event, given.tenant_id, given.at.ToDatetime(tzinfo=UTC), data)


def _shown(hook: Hook) -> pb.Hook:
    return pb.Hook(
        hook_id=hook.hook_id,
        url=hook.url,
        events=hook.events,
        description=hook.description,
        tenants=hook.tenants,
        active=hook.active,
        is_plain=hook.is_plain,
        changed_at=None if hook.is_plain else timestamp(hook.changed_at),
        changed_by=hook.changed_by,
        tag=hook.tag,
    )


def _told(delivery: Delivery, *, with_body: bool = True) -> pb.Delivery:
    return pb.Delivery(
        delivery_id=delivery.delivery_id,
        hook_id=delivery.hook_id,
        event=delivery.event,
        tenant_id=delivery.tenant_id,
        at=timestamp(delivery.at),
        state=delivery.state,
        due=timestamp(delivery.due) if delivery.state == "pending" else None,
        attempts=delivery.attempts,
        status=delivery.status,
        answer=delivery.answer,
        error=delivery.error,
        created_at=timestamp(delivery.created_at),
        ended_at=timestamp(delivery.ended_at),
        body=delivery.body if with_body else "",
    )
