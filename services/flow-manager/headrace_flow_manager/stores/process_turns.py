"""Turns at flows where one process has the store to itself: what it holds ends with it."""

from headrace_flow_manager.flows.model import Turn


class ProcessTurns:
    """The TurnStore of a SQLite file. Its directory is locked, so that no other process is there to take turns with."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    async def take(self, flow_id: str, turn: Turn, instead_of: Turn | None) -> Turn | None:
        standing = self._turns.get(flow_id)
        if standing not in (None, instead_of):
            return standing
        self._turns[flow_id] = turn
        return None

    async def renew(self, flow_id: str, holder: str) -> bool:
        standing = self._turns.get(flow_id)
        if standing is None or standing.holder != holder:
            return False
        self._turns[flow_id] = Turn(holder, standing.beat + 1)
        return True

    async def end(self, flow_id: str, holder: str) -> None:
        standing = self._turns.get(flow_id)
        if standing is not None and standing.holder == holder:
            del self._turns[flow_id]
