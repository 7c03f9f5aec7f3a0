"""An input that its in-port's schema refuses."""

from __future__ import annotations

from collections.abc import Sequence

from headrace_core.errors import Problem
from headrace_core.expressions import Json
from headrace_sdk.errors import ComponentError


class InputRefused(ComponentError):
    """The content does not fit the in-port's schema; trying again would not help. Details name each field."""

    code = "GRID_ERR_VAL_PORTS"
    is_temporary = False

    def __init__(self, node_id: str, port: str, problems: Sequence[Problem]) -> None:
        details: list[Json] = [{"field": problem.where, "message": problem.message} for problem in problems]
        words = "; ".join(f"{problem.where}: {problem.message}" for problem in problems[:5])
        super().__init__(f"The message does not fit in-port {port} of component {node_id}: {words}", data=details)
