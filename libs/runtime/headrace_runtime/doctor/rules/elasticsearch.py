"""What Elasticsearch's answers mean."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace_runtime.doctor.findings import Finding, error, ok, warning
from headrace_runtime.doctor.rules.versions import parsed, too_old
from headrace_runtime.elasticsearch import OLDEST_VERSION

NEWEST_MAJOR = 9

Answer = Mapping[str, Any]

_SIZE = re.compile(r"([\d.]+)(b|kb|mb|gb|tb|pb)", re.IGNORECASE)
_UNITS = {unit: 1024**power for power, unit in enumerate(("b", "kb", "mb", "gb", "tb", "pb"))}


def versions(nodes: Sequence[str]) -> Finding:
    """All nodes are of a version that the client speaks to."""
    oldest, newest = min(nodes, key=parsed), max(nodes, key=parsed)
    found = too_old(oldest, OLDEST_VERSION, "Elasticsearch")
    if found.level == "ok" and parsed(newest)[0] > NEWEST_MAJOR:
        return warning("version", f"{newest} is newer than what was tried", f"Take {NEWEST_MAJOR}.x, or tell us.")
    if found.level == "ok" and oldest != newest:
        return warning("version", f"nodes from {oldest} to {newest}", "Finish the upgrade of the cluster.")
    return found


def health(told: Answer, replicas: int) -> Finding:
    """Every shard has a place; better every copy has one too."""
    status, nodes = told.get("status"), told.get("number_of_nodes", 0)
    found = f"{status}, nodes: {nodes}"
    if status == "red":
        advice = "Some records cannot be read or written: look at GET _cluster/allocation/explain."
        return error("health", found, advice)
    if status == "yellow" and replicas >= told.get("number_of_data_nodes", nodes):
        advice = f"{replicas} copies have no place: add a node, or set HEADRACE_ELASTICSEARCH_REPLICAS lower."
        return warning("health", found, advice)
    if status == "yellow":
        return warning("health", found, "Copies are missing: look at GET _cluster/allocation/explain.")
    return ok("health", found)


def disks(settings: Answer, nodes: Sequence[Answer]) -> list[Finding]:
    """Each node against the watermarks, at which it takes no shards, and then no writes."""
    prefix = "cluster.routing.allocation.disk"
    if str(settings.get(f"{prefix}.threshold_enabled", "true")) == "false":
        advice = "Set cluster.routing.allocation.disk.threshold_enabled to true, unless this is for tests."
        return [warning("disk", "the watermarks are off: a full disk is met unprepared", advice)]
    marks = [_Mark.read(name, settings, f"{prefix}.watermark.{name}") for name in ("flood_stage", "high", "low")]
    return [_disk(each, marks) for each in nodes]


def _disk(node: Answer, marks: Sequence["_Mark"]) -> Finding:
    total, free = int(node.get("total_in_bytes", 0)), int(node.get("available_in_bytes", 0))
    found = f"{node.get('name')}: {free / 1024**3:.1f} GB free of {total / 1024**3:.1f} GB"
    for mark in marks:
        if total and free < least_free(mark.value, mark.headroom, total):
            advice = "Make room, or shorten HEADRACE_LOG_RETENTION or HEADRACE_LOG_MAX_BYTES."
            told = f"{found}, past the {mark.name.replace('_', ' ')} watermark of {mark.value}"
            return error("disk", told, advice) if mark.name == "flood_stage" else warning("disk", told, advice)
    return ok("disk", found)


@dataclass(frozen=True, slots=True)
class _Mark:
    name: str
    value: str
    headroom: str

    @classmethod
    def read(cls, name: str, settings: Answer, key: str) -> "_Mark":
        return cls(name, str(settings.get(key, "")), str(settings.get(f"{key}.max_headroom", "-1")))


def least_free(mark: str, headroom: str, total: int) -> float:
    """How many bytes have to be free below a watermark: `85%` and `0.85` are what is used, `10gb` is what is left.

    A share of a large disk asks for the headroom at most; `-1` is none.
    """
    size = _bytes(mark)
    if size is not None:
        return size
    try:
        number = float(mark.strip().removesuffix("%"))
    except ValueError:
        return 0.0
    used = number / 100 if mark.strip().endswith("%") else number
    most = _bytes(headroom)
    return (1 - used) * total if most is None else min((1 - used) * total, most)


def _bytes(text: str) -> float | None:
    found = _SIZE.fullmatch(text.strip())
    return float(found[1]) * _UNITS[found[2].lower()] if found else None


def blocks(cluster: Answer, indices: Mapping[str, Answer]) -> list[Finding]:
    """Nothing forbids writing."""
    found = []
    if any(
        str(cluster.get(f"cluster.blocks.{name}")).lower() == "true" for name in ("read_only", "read_only_allow_delete")
    ):
        advice = "Take it away: PUT _cluster/settings with cluster.blocks.read_only: null."
        found.append(error("blocks", "the whole cluster is read-only", advice))
    closed = sorted(name for name, each in indices.items() if _is_blocked(each))
    if closed:
        advice = (
            "Make room on the disk, then it goes by itself; or PUT <index>/_settings with "
            '{"index.blocks.read_only_allow_delete": null, "index.blocks.write": null}.'
        )
        found.append(error("blocks", f"no writes to {', '.join(closed[:5])}: log records wait", advice))
    return found or [ok("blocks", "none")]


def _is_blocked(settings: Answer) -> bool:
    return any(
        str(settings.get(f"index.blocks.{name}")).lower() == "true"
        for name in ("read_only", "read_only_allow_delete", "write")
    )


def template(name: str, installed: Answer | None, expected: Answer) -> Finding:
    """The index template is ours, or not there yet."""
    if installed is None:
        return ok("template", f"{name} is not there yet: made at the first start")
    kept = installed.get("template", {}).get("mappings", {}).get("properties", {})
    wanted = expected["template"]["mappings"]["properties"]
    strange = sorted(set(kept) ^ set(wanted))
    if strange:
        advice = "A log service of this release puts its own at its start; the next day's index follows it."
        return warning("template", f"{name} is of another release: {', '.join(strange[:5])} differ", advice)
    return ok("template", name)


def alias(name: str, is_index: bool, indices: int) -> Finding:
    """The name for reading is an alias of the days."""
    if is_index:
        advice = f"Somebody wrote to it without the template. Look what is in it, then DELETE {name}."
        return error("alias", f"{name} is an index and no alias", advice)
    if not indices:
        return ok("alias", f"{name} is not there yet: made with the first record")
    return ok("alias", f"{name}, days: {indices}")
