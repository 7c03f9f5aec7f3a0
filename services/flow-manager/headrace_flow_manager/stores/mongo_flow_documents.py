"""Flows as documents: what is looked up stands in fields, what users wrote is kept as bytes of JSON.

The newest version is part of the flow's document, so that a change of both is one write and an executor's question
one read. Versions that were replaced are in a collection of their own, under the `incarnation` of the flow: an id
that a removed flow leaves free may be taken by another flow, which then has none of the former's versions. Labels of
all versions are in the flow's document, so that one update sets one, wherever the version is just then.
"""

from collections.abc import Mapping
from typing import Final

from headrace_core import Json
from headrace_runtime.mongo import Document

from headrace_flow_manager import times
from headrace_flow_manager.flows.logger import LogLevel
from headrace_flow_manager.flows.model import Flow, FlowVersion, Stage, types_of
from headrace_flow_manager.flows.sharing import marks_of
from headrace_flow_manager.query import Record
from headrace_flow_manager.stores.mongo_values import packed, unpacked
from headrace_flow_manager.stores.values import instant, micros
from headrace_flow_manager.stores.values import shown as shown_instant

FLOWS: Final = "flows"
PAST_VERSIONS: Final = "flow_versions"

WITHOUT_CONTENT: Final = {"record": 0, "descriptor": 0, "custom_fields": 0}
WITHOUT_RECORD: Final = {"record": 0}


def of(tenant: str, flow: Flow, incarnation: str) -> Document:
    """The whole document of a new flow."""
    return {
        "_id": flow.flow_id,
        "tenant_id": tenant,
        "incarnation": incarnation,
        "labels": {},
        "created_at": micros(flow.created_at),
        **record_of(flow),
        **version_of(flow),
        **state_of(flow),
    }


def state_of(flow: Flow) -> Document:
    """The small fields, which every change writes."""
    return {
        "stage": str(flow.stage),
        "running_version": flow.running_version,
        "activated_version": flow.activated_version,
        "activation_id": flow.activation_id,
        "revision": flow.revision,
        "modified_at": micros(flow.modified_at),
        "started_at": micros(flow.started_at),
        "stopped_at": micros(flow.stopped_at),
        "stage_error": flow.stage_error,
        "removed": flow.removed,
        "settled": flow.is_settled,
        "active": flow.is_active and not flow.removed,
    }


def record_of(flow: Flow) -> Document:
    """The public fields. What executors want of them, custom fields and the log level, is there a second time."""
    return {
        "name": flow.name,
        "record": packed(flow.record),
        "custom_fields": packed(_custom_fields(flow.record)),
        "log_level": str(flow.log_level),
        **looked_up_of(flow.record),
    }


def looked_up_of(record: Mapping[str, Json]) -> Document:
    """What flows are found by that stands in their records."""
    return {"template_id": str(record.get("templateId", "")), "shares": sorted(marks_of(record))}


def version_of(flow: Flow) -> Document:
    """The newest version."""
    return {
        "version": flow.version,
        "descriptor": packed(flow.descriptor),
        "versioned_at": micros(flow.modified_at),
        "types": list(types_of(flow.descriptor)),
        "pins": list(flow.pins),
    }


def past_version_of(kept: Document) -> Document:
    """The newest version of a kept flow as it is put away. It is the same whenever and by whomever this is done."""
    return {
        "_id": past_id(kept, kept["version"]),
        "tenant_id": kept["tenant_id"],
        "incarnation": kept["incarnation"],
        "version": kept["version"],
        "descriptor": kept["descriptor"],
        "versioned_at": kept["versioned_at"],
        "pins": kept.get("pins", []),
    }


def past_id(kept: Document, version: int) -> str:
    """The id under which a version of a kept flow is put away."""
    return f"{kept['incarnation']}:{version}"


def flow(kept: Document) -> Flow:
    """The flow of a whole document."""
    return Flow(
        flow_id=kept["_id"],
        tenant_id=kept["tenant_id"],
        record=unpacked(kept["record"]),
        descriptor=unpacked(kept["descriptor"]),
        created_at=times.from_micros(kept["created_at"]),
        modified_at=times.from_micros(kept["modified_at"]),
        stage=Stage(kept["stage"]),
        version=kept["version"],
        running_version=kept["running_version"],
        activated_version=kept["activated_version"],
        activation_id=kept["activation_id"],
        revision=kept["revision"],
        started_at=instant(kept["started_at"]),
        stopped_at=instant(kept["stopped_at"]),
        stage_error=kept["stage_error"],
        removed=kept["removed"],
        pins=tuple(kept.get("pins", ())),
    )


def version(kept: Document, of: Document) -> FlowVersion:
    """A version of a kept flow. `of` has its content: the flow's document itself, or a version that was put away."""
    return FlowVersion(
        flow_id=kept["_id"],
        tenant_id=kept["tenant_id"],
        version=of["version"],
        name=kept["name"],
        descriptor=unpacked(of["descriptor"]),
        custom_fields=unpacked(kept["custom_fields"]),
        created_at=times.from_micros(of["versioned_at"]),
        log_level=LogLevel(kept.get("log_level", LogLevel.ALL)),
        label=kept.get("labels", {}).get(str(of["version"]), ""),
        pins=tuple(of.get("pins", ())),
    )


def pinned_as(pins: tuple[str, ...]) -> Document:
    """A condition for documents whose version has exactly those pins."""
    return {"pins": list(pins)} if pins else {"pins.0": {"$exists": False}}


def shown(kept: Document) -> tuple[str, Record]:
    """The flow's id, and as much of the public record as was read."""
    record: dict[str, Json] = unpacked(kept["record"]) if "record" in kept else {}
    if "descriptor" in kept:
        record["flow"] = unpacked(kept["descriptor"])
    return kept["_id"], record | {
        "flowId": kept["_id"],
        "userId": kept["tenant_id"],
        "name": kept["name"],
        "stage": kept["stage"],
        "version": kept["version"],
        "runningVersion": kept["running_version"] or None,
        "revision": kept["revision"],
        "btime": shown_instant(kept["created_at"]),
        "mtime": shown_instant(kept["modified_at"]),
        "started": shown_instant(kept["started_at"]),
        "stopped": shown_instant(kept["stopped_at"]),
        **({"stageError": kept["stage_error"]} if kept["stage_error"] else {}),
    }


def _custom_fields(record: Mapping[str, Json]) -> Mapping[str, Json]:
    found = record.get("customFields")
    return found if isinstance(found, dict) else {}
