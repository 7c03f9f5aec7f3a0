"""The modifiers document."""

import orjson
from headrace.setting.v1 import setting_service_pb2
from headrace.setting.v1.setting_service_pb2_grpc import SettingServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, scope_to_proto
from headrace_gateway.identity import Scope


class ModifierClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = SettingServiceStub(channel)
        self._timeout = timeout_seconds

    async def get(self) -> dict[str, Json]:
        """The document: the built-in one unless it was replaced."""
        request = setting_service_pb2.GetModifiersRequest()
        return json_object((await self._stub.GetModifiers(request, timeout=self._timeout)).document)

    async def put(self, scope: Scope, document: dict[str, Json]) -> dict[str, Json]:
        """Replace the whole document; as it was saved. Raises ValidationFailed."""
        request = setting_service_pb2.PutModifiersRequest(scope=scope_to_proto(scope), document=orjson.dumps(document))
        return json_object((await self._stub.PutModifiers(request, timeout=self._timeout)).document)

    async def delete(self, scope: Scope) -> None:
        """Go back to the built-in document."""
        request = setting_service_pb2.DeleteModifiersRequest(scope=scope_to_proto(scope))
        await self._stub.DeleteModifiers(request, timeout=self._timeout)
