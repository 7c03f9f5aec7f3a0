"""Flows as files for Git: one way of writing each, so that what did not change does not differ."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from headrace_cli.failures import Failure, Status

KEPT = (
    "name",
    "description",
    "type",
    "flow",
    "customFields",
    "wizard",
    "sharedWith",
    "categories",
    "logger",
)
"""What a file says of a flow. Who owns it, whether it runs, its pictures and its times stay at the host."""
_EMPTY: tuple[Any, ...] = (None, "", {}, [])


@dataclass(frozen=True, slots=True)
class FlowFile:
    """What a file says of one flow."""

    file: Path
    flow_id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What has to be done so that a flow is as its file says. `etag` is that of what this was decided on."""

    wanted: FlowFile
    action: Literal["create", "change", "keep"]
    changed: tuple[str, ...] = ()
    etag: str = ""
    is_running: bool = False
    former: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "file": str(self.wanted.file),
            "flowId": self.wanted.flow_id,
            "name": self.wanted.fields.get("name", ""),
            "action": self.action,
            "changed": [*self.changed],
            "running": self.is_running,
        }


def text_of(flow: Mapping[str, Any]) -> str:
    """The one text of a flow: its keys in order, a line for each value, a line break at the end."""
    told = {"flowId": flow["flowId"], **kept(flow)}
    return json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def kept(flow: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that files have; those without content are left out."""
    return {name: flow[name] for name in KEPT if name in flow and flow[name] not in _EMPTY}


def read(place: Path) -> list[FlowFile]:
    """Flows of a file, or of every .json below a folder, by path. Raises Failure with what is wrong with which."""
    files = sorted(place.rglob("*.json")) if place.is_dir() else [place]
    if not files:
        raise Failure(Status.NOT_FOUND, f"There is no .json file in {place}.", "Make one: headrace flow new NAME")
    found = [_read(file) for file in files]
    by_id: dict[str, FlowFile] = {}
    for each in found:
        if each.flow_id in by_id:
            said = f"{by_id[each.flow_id].file} and {each.file} are of one flow, {each.flow_id}."
            raise Failure(Status.FAILED, said, "Remove one, or give it an id of its own.")
        by_id[each.flow_id] = each
    return found


def plan(wanted: FlowFile, there: Mapping[str, Any] | None, etag: str) -> Step:
    """What has to be done, given the flow as it is now; None where there is none."""
    if there is None:
        return Step(wanted, "create")
    former = kept(there)
    changed = tuple(name for name in KEPT if former.get(name) != kept(wanted.fields).get(name))
    running = there.get("stage") in ("running", "starting")
    return Step(wanted, "change" if changed else "keep", changed, etag, running, text_of(there))


def body(step: Step) -> dict[str, Any]:
    """What to send. A field that the file no longer has is taken away."""
    gone: dict[str, Any] = {name: _nothing(name) for name in step.changed}
    return {**gone, **kept(step.wanted.fields)}


def difference(step: Step) -> Iterator[str]:
    """The lines that differ, as `diff -u` shows them."""
    wanted = text_of({"flowId": step.wanted.flow_id, **step.wanted.fields})
    name = str(step.wanted.file)
    yield from difflib.unified_diff(step.former.splitlines(), wanted.splitlines(), "host", name, lineterm="")


def _nothing(name: str) -> Any:
    return {} if name == "flow" else None


def _read(file: Path) -> FlowFile:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Failure(Status.NOT_FOUND, f"There is no file {file}.", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise Failure(Status.FAILED, f"{file} is no flow: {error}", "Write JSON in UTF-8.") from None
    if not isinstance(told, dict) or not isinstance(told.get("flow"), dict):
        raise Failure(Status.FAILED, f"{file} is no flow: it has no object `flow`.", "See headrace flow new NAME")
    flow_id = told.get("flowId")
    if not isinstance(flow_id, str) or not flow_id:
        fix = f"Make it a flow of its own: headrace flow import {file}"
        raise Failure(Status.FAILED, f"{file} does not say which flow it is: `flowId` is missing.", fix)
    unknown = sorted(set(told) - {*KEPT, "flowId", "svg", "thumbnail"})
    if unknown:
        said = f"{file} has fields that no flow file has: {', '.join(unknown)}."
        raise Failure(Status.FAILED, said, f"Files have flowId, {', '.join(KEPT)}.")
    return FlowFile(file, flow_id, told)
