"""What a person may say of a step in doubt. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from headrace_core import Json
from headrace_core.errors import BadRequest

from headrace_executor.model import Decision, Verdict
from headrace_executor.plan import PlannedNode

MOST_OUTPUTS = 1_000


@dataclass(frozen=True, slots=True)
class Said:
    """What came over the wire: the verdict, lists of contents by out-port, and the user who says so."""

    verdict: str
    outputs: Mapping[str, Json]
    by: str


def decided(said: Said, node: PlannedNode | None, at: float) -> Decision:
    """The decision, with an id of its own. Raises BadRequest where the component cannot have sent that."""
    if said.verdict not in ("happened", "retry", "skip"):
        raise BadRequest(f"{said.verdict[:40]!r} is no verdict. Give one of happened, retry, skip.")
    if said.outputs and said.verdict != "happened":
        raise BadRequest("Only a step that happened sent something. Leave `outputs` out.")
    sent = tuple(_sent(said.outputs, node))
    if len(sent) > MOST_OUTPUTS:
        raise BadRequest(f"A decision sends at most {MOST_OUTPUTS} messages.")
    return Decision(secrets.token_hex(12), cast("Verdict", said.verdict), said.by, at, sent)


def _sent(outputs: Mapping[str, Json], node: PlannedNode | None) -> Iterator[tuple[str, Json]]:
    for port, contents in outputs.items():
        if node is not None and not node.has_any_out_port and port not in node.out_ports:
            known = ", ".join(sorted(node.out_ports)) or "none"
            raise BadRequest(f"{node.type} has no out-port {port[:100]!r}. It has: {known}.")
        if not isinstance(contents, list):
            raise BadRequest(f"Give a list of contents for the out-port {port[:100]!r}.")
        for content in contents:
            yield port, content
