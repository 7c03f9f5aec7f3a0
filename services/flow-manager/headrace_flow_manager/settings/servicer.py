"""SettingService over RPC, with its one document."""

from __future__ import annotations

from headrace.setting.v1 import setting_service_pb2 as pb
from headrace.setting.v1 import setting_service_pb2_grpc as grpc_pb
from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.expressions import default_modifiers

from headrace_flow_manager import json_text
from headrace_flow_manager.servicer import json_bytes, scope_of
from headrace_flow_manager.settings.store import Documents

MODIFIERS = "modifiers"
MAX_BYTES = 2 * 1024 * 1024


class SettingServicer(grpc_pb.SettingServiceServicer):
    """Answers headrace.setting.v1.SettingService."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def GetModifiers(self, request: pb.GetModifiersRequest, context: object) -> pb.GetModifiersResponse:
        found = await self._documents.get(MODIFIERS)
        return pb.GetModifiersResponse(document=json_bytes(found if found is not None else default_modifiers()))

    async def PutModifiers(self, request: pb.PutModifiersRequest, context: object) -> pb.PutModifiersResponse:
        scope_of(request.scope)
        document = json_text.decode_object(request.document, "modifiers document")
        json_text.limited(json_text.encode(document), MAX_BYTES, "modifiers document")
        _check(document)
        await self._documents.put(MODIFIERS, document)
        return pb.PutModifiersResponse(document=json_bytes(document))

    async def DeleteModifiers(self, request: pb.DeleteModifiersRequest, context: object) -> pb.DeleteModifiersResponse:
        scope_of(request.scope)
        await self._documents.delete(MODIFIERS)
        return pb.DeleteModifiersResponse()


def _check(document: dict[str, Json]) -> None:
    problems = [
        Problem(name, "It is missing or no object.", "Send {categories: {…}, modifiers: {…}}.")
        for name in ("categories", "modifiers")
        if not isinstance(document.get(name), dict)
    ]
    if problems:
        raise ValidationFailed(problems)
