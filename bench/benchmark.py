"""One benchmark: every peer in turn, round after round, so that noise falls on everybody alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.jobs import Round
from bench.peers.peer import Peer
from bench.plan import Plan
from bench.results import Mishap, Results


def measure(peers: Sequence[Peer], plan: Plan, folder: Path, say: Callable[[str], None]) -> Results:
    """Prepare all peers, then let them take turns; each round begins with another one.

    A peer that does a job wrongly or not at all loses the rest of its turn, and the results say so.
    Raises RuntimeError or TimeoutError when one cannot be prepared.
    """
    for peer in peers:
        say(f"{peer.name}: {peer.version()}, preparing")
        try:
            peer.prepare()
        finally:
            peer.stop()
    results = Results()
    for number in range(plan.rounds):
        first = number % len(peers)
        for peer in [*peers[first:], *peers[:first]]:
            try:
                for sample in Round(peer, number, plan, folder).run():
                    results.samples.append(sample)
                    say(f"round {number + 1} {peer.name} {sample.measure.label}: {sample.value:,.2f}")
            except (RuntimeError, TimeoutError) as error:
                results.mishaps.append(Mishap(peer.name, number, str(error)))
                say(f"round {number + 1} {peer.name} ended early: {error}")
    return results
