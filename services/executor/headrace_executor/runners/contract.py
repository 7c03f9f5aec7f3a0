"""The contract of runners as data, for those without generated code: messages, fields, and where one may connect."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from headrace.runner.v1 import runner_service_pb2
from headrace_core import Json
from headrace_runtime.egress import EgressPolicy, addresses, policy

_KINDS = {
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_ENUM: "varint",
    FieldDescriptor.TYPE_INT32: "varint",
    FieldDescriptor.TYPE_INT64: "varint",
    FieldDescriptor.TYPE_MESSAGE: "message",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_UINT32: "varint",
    FieldDescriptor.TYPE_UINT64: "varint",
}

_NEVER_PUBLIC_6 = ("::/3", "4000::/2", "8000::/1")
_6TO4 = ("2002::/16",)


@cache
def contract() -> dict[str, Json]:
    """Every message that executor and runner exchange, by its full name, with its fields."""
    found: dict[str, Json] = {}
    for message in runner_service_pb2.DESCRIPTOR.message_types_by_name.values():
        _gather(message, found)
    return found


def egress_orders(rules: EgressPolicy) -> dict[str, Json]:
    """Where a runner may connect to. IPv6 addresses that hold others are all refused: nobody needs them."""
    refused: dict[str, list[Json]] = {}
    for kind, network in (*addresses.NETWORKS_4, *addresses.NETWORKS_6):
        if kind != addresses.PUBLIC:
            refused.setdefault(kind, []).append(str(network))
    refused["6to4"] = [*_6TO4]
    refused["reserved"] = [*refused.pop("reserved"), *_NEVER_PUBLIC_6]  # last: the first that fits counts
    return {
        "allow_private": rules.allow_private,
        "networks": [*rules.allowed_networks],
        "hosts": [*rules.allowed_hosts],
        "refused": {**refused},
        "local_names": [*policy.LOCAL_SUFFIXES],
        "metadata_names": [*sorted(policy.METADATA_NAMES)],
        "closed_ports": [*sorted(policy.CLOSED_PORTS)],
    }


def _gather(message: Any, found: dict[str, Json]) -> None:
    if message.full_name in found:
        return
    fields: list[Json] = []
    found[message.full_name] = fields
    for field in message.fields:
        inner = field.message_type
        is_map = inner is not None and inner.GetOptions().map_entry
        entry: dict[str, Json] = {"number": field.number, "name": field.name, "type": _KINDS[field.type]}
        if inner is not None:
            entry["message"] = inner.full_name
            _gather(inner, found)
        if is_map:
            entry["map"] = True
        elif field.is_repeated:
            entry["repeated"] = True
        elif field.has_presence and inner is None and field.containing_oneof is not None:
            entry["optional"] = True
        fields.append(entry)
