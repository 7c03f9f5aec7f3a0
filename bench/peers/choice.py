"""Which peers there are, and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench import results
from bench.backing import Backing
from bench.peers.headrace import Headrace
from bench.peers.headrace_server import HeadraceServer
from bench.peers.n8n import N8n
from bench.peers.nodered import NodeRed
from bench.peers.peer import Peer

OURS: Mapping[str, Callable[[Path, Backing], Peer]] = {
    results.EMBEDDED: lambda folder, _: Headrace(folder),
    results.SERVER: HeadraceServer,
    results.TWICE: partial(HeadraceServer, executors=2),
}
OTHERS: Mapping[str, Callable[[Path, Path], Peer]] = {
    "node-red": NodeRed,
    "n8n": N8n,
    "n8n-legacy": partial(N8n, engine="legacy"),
}


def names(home: Path | None) -> list[str]:
    """Everybody who can take part: ours, and the others when `home` says where they are installed."""
    return [*OURS, *(OTHERS if home else ())]


def choose(wanted: Sequence[str], home: Path | None, folder: Path, backing: Backing) -> list[Peer]:
    """One of each name, with a directory of its own in `folder`. Raises ValueError for a name nobody has."""
    return [_make(name, home, folder / name, backing) for name in dict.fromkeys(wanted)]


def _make(name: str, home: Path | None, folder: Path, backing: Backing) -> Peer:
    if name in OURS:
        return OURS[name](folder, backing)
    if name not in OTHERS:
        raise ValueError(f"There is no peer {name!r}: choose among {', '.join([*OURS, *OTHERS])}.")
    if home is None:
        raise ValueError(f"{name} must be installed first: say where with PEERS_HOME.")
    return OTHERS[name](home, folder)
