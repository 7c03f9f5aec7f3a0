"""headrace.setting.v1: decode, call, encode."""

from headrace.setting.v1 import setting_service_pb2 as pb
from headrace.setting.v1 import setting_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.servicer import json_bytes, scope_of
from headrace_flow_manager.settings.service import SettingService


class SettingServicer(grpc_pb.SettingServiceServicer):
    """Answers headrace.setting.v1.SettingService."""

    def __init__(self, settings: SettingService) -> None:
        self._settings = settings

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_SettingServiceServicer_to_server(self, server)

    async def GetModifiers(self, request: pb.GetModifiersRequest, context: object) -> pb.GetModifiersResponse:
        return pb.GetModifiersResponse(document=json_bytes(await self._settings.modifiers()))

    async def PutModifiers(self, request: pb.PutModifiersRequest, context: object) -> pb.PutModifiersResponse:
        document = json_text.decode_object(request.document, "modifiers document")
        saved = await self._settings.put_modifiers(scope_of(request.scope).actor_id, document)
        return pb.PutModifiersResponse(document=json_bytes(saved))

    async def DeleteModifiers(self, request: pb.DeleteModifiersRequest, context: object) -> pb.DeleteModifiersResponse:
        scope_of(request.scope)
        await self._settings.delete_modifiers()
        return pb.DeleteModifiersResponse()
