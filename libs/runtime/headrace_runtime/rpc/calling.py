"""Calls by name with JSON in and out, for people and their tools: any method of any contract of the house."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2
from headrace_core.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
    from grpc.aio import Channel

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


def services() -> list[str]:
    """The names of all services of the house, and the health service that each process answers too."""
    names = [HEALTH]
    package = importlib.import_module("headrace")
    for module in pkgutil.walk_packages(package.__path__, "headrace."):
        if module.name.endswith("_pb2"):
            names += [
                each.full_name for each in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values()
            ]
    return sorted(names)


def signatures(service: str) -> list[str]:
    """The methods of a service as they would be written in a contract. Raises NotFound."""
    return [_signature(method) for method in _service(service).methods]


def fields(method: str) -> dict[str, str]:
    """The fields of a method's request, by their JSON names. Raises NotFound."""
    return {each.json_name: _kind(each) for each in _method(method).input_type.fields}


async def call(channel: Channel, method: str, body: str, timeout: float) -> AsyncIterator[str]:
    """Call `package.Service/Method` with a JSON object; yields each answer as JSON.

    The mapping is proto3's own: names in camelCase, 64-bit integers as text, bytes in base64. Raises NotFound for a
    method that is in no contract, BadRequest for a body that does not fit it, and what the servicer raises.
    """
    found = _method(method)
    path = f"/{found.containing_service.full_name}/{found.name}"
    request = _parsed(found.input_type, body)
    answer_class = message_factory.GetMessageClass(found.output_type)
    write = type(request).SerializeToString
    if found.server_streaming:
        calls = channel.unary_stream(path, request_serializer=write, response_deserializer=answer_class.FromString)
        async for answer in calls(request, timeout=timeout):
            yield _written(answer)
    else:
        ask = channel.unary_unary(path, request_serializer=write, response_deserializer=answer_class.FromString)
        yield _written(await ask(request, timeout=timeout))


def _service(name: str) -> ServiceDescriptor:
    if name not in services():
        raise NotFound("service", name)
    return descriptor_pool.Default().FindServiceByName(name)


def _method(name: str) -> MethodDescriptor:
    service, _, method = name.strip("/").rpartition("/")
    found = _service(service).methods_by_name.get(method)
    if found is None:
        raise NotFound("method", name)
    return found


def _parsed(kind: Descriptor, body: str) -> Any:
    try:
        return json_format.Parse(body or "{}", message_factory.GetMessageClass(kind)())
    except json_format.ParseError as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise BadRequest(f"The body is no {kind.name}: {said}. Its fields: {_listed(kind)}.") from None


def _written(answer: Any) -> str:
    return json_format.MessageToJson(answer, indent=2, ensure_ascii=False)


def _listed(kind: Descriptor) -> str:
    return ", ".join(f"{each.json_name} ({_kind(each)})" for each in kind.fields) or "none"


def _kind(field: Any) -> str:
    """What a field holds, in the words of the contracts."""
    if field.message_type is not None:
        name = str(field.message_type.full_name)
    elif field.enum_type is not None:
        name = " | ".join(each.name for each in field.enum_type.values)
    else:
        name = _SCALARS.get(field.type, "number")
    return f"list of {name}" if field.is_repeated else name


_SCALARS = {8: "bool", 9: "text", 12: "bytes, in base64"}


def _signature(method: MethodDescriptor) -> str:
    stream = "stream " if method.server_streaming else ""
    return f"{method.name}({method.input_type.name}) returns ({stream}{method.output_type.name})"
