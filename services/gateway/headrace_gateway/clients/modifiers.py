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
        document, _ = await self.tagged()
        return document

    async def tagged(self) -> tuple[dict[str, Json], str]:
        """The document and its tag."""
        answer = await self._stub.GetModifiers(setting_service_pb2.GetModifiersRequest(), timeout=self._timeout)
        return json_object(answer.document), answer.tag

    async def put(self, scope: Scope, document: dict[str, Json], expected_tag: str = "") -> tuple[dict[str, Json], str]:
        """Replace the whole document; as it was saved, and its tag. Raises ValidationFailed, RevisionConflict."""
        request = setting_service_pb2.PutModifiersRequest(
            scope=scope_to_proto(scope), document=orjson.dumps(document), expected_tag=expected_tag
        )
        answer = await self._stub.PutModifiers(request, timeout=self._timeout)
        return json_object(answer.document), answer.tag

    async def delete(self, scope: Scope, expected_tag: str = "") -> None:
        """Go back to the built-in document. Raises RevisionConflict."""
        request = setting_service_pb2.DeleteModifiersRequest(scope=scope_to_proto(scope), expected_tag=expected_tag)
        await self._stub.DeleteModifiers(request, timeout=self._timeout)
