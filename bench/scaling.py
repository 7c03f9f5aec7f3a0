"""What becomes the limit with 10, 100 and 1,000 executors: `python -m bench.scaling`.

A model. It takes what one event cost on one machine (`MEASURED`), what others say of their servers (`ASSUMED`), and two
simulations (`group_commit`, `claiming`). Nothing in its tables was measured on a cluster of that size.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.claiming import claim_all
from bench.group_commit import Executor, simulate
from bench.results import number

SIZES = (1, 10, 100, 1_000)
SEED, SECONDS = 1, 20.0
UTILISATION = 0.7  # of each executor's core: beyond it waits grow faster than work
CLAIM_LIMIT, WAITING_RUNS = 200, 20_000
SPREAD_LOAD = 1_000.0  # events a second, the same for every size
ONE_EXECUTOR = Executor(cpu=0.0033, round_trip=0.004, per_document=0.0005)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What an event of F2 (a webhook and ten steps) cost, one process of each service; docs/benchmarks.md says when."""

    executor: Executor = ONE_EXECUTOR
    gateway_cpu: float = 0.0004
    logging_cpu: float = 0.0018
    batch: int = 10  # events in a call from a gateway to an executor
    documents: float = 2.2  # written in MongoDB: the run, its end, a share of the group's spool
    log_records: float = 22.0
    shipping_commands: float = 0.05
    idle_commands: float = 5.4  # a second, of an executor that has nothing to do
    queues: int = 2  # of its own at the broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What one node of each engine takes. Put your own numbers here."""

    shard_documents: float = 10_000.0  # a second, written by majority and journal in groups
    search_records: float = 20_000.0  # a second, indexed by a data node with 8 cores
    connections: int = 20_000  # to one MongoDB router
    queues: int = 5_000  # quorum queues of a cluster of three
    streams_a_gateway: int = 1_000  # HTTP/2 connections that a gateway keeps open


@dataclass(frozen=True, slots=True)
class Row:
    """A cluster of one size, at UTILISATION."""

    executors: int
    events: float
    gateways: int
    log_services: int
    commands_an_event: float
    commands: float
    idle_commands: float
    shards: int
    search_nodes: int
    queues: int
    channels: int
    useful_claims: float
    claims_a_second: float


def row(executors: int, measured: Measured, assumed: Assumed) -> Row:
    """The model of one size."""
    rate = UTILISATION / measured.executor.cpu
    events = rate * executors
    one = simulate(measured.executor, rate=rate, seconds=SECONDS, seed=SEED, batch=measured.batch)
    commands = one.commands_an_event + measured.shipping_commands
    gateways = math.ceil(events * measured.gateway_cpu / UTILISATION)
    window = 2 * (measured.executor.round_trip + CLAIM_LIMIT * measured.executor.per_document)
    claims = claim_all(executors=executors, ready=WAITING_RUNS, limit=CLAIM_LIMIT, window=window, seed=SEED)
    return Row(
        executors=executors,
        events=events,
        gateways=gateways,
        log_services=math.ceil(events * measured.logging_cpu / UTILISATION),
        commands_an_event=commands,
        commands=commands * events,
        idle_commands=measured.idle_commands * executors,
        shards=math.ceil(events * measured.documents / assumed.shard_documents),
        search_nodes=math.ceil(events * measured.log_records / assumed.search_records),
        queues=measured.queues * executors,
        channels=gateways * executors,
        useful_claims=claims.useful,
        claims_a_second=WAITING_RUNS / claims.seconds,
    )


def spread(executors: int, measured: Measured) -> tuple[float, float]:
    """Commands an event, and the median latency in seconds, when SPREAD_LOAD is spread over so many executors."""
    batch = max(1, min(measured.batch, round(measured.batch / executors)))
    outcome = simulate(
        measured.executor, rate=SPREAD_LOAD / executors, seconds=SECONDS * min(executors, 50), seed=SEED, batch=batch
    )
    return outcome.commands_an_event + measured.shipping_commands, outcome.median_latency


def tables(measured: Measured, assumed: Assumed, sizes: Sequence[int] = SIZES) -> str:
    """Both tables in Markdown: executors that are busy, and one load on ever more of them."""
    rows = [row(size, measured, assumed) for size in sizes]
    lines: list[tuple[str, Iterable[str]]] = [
        ("events/s", (number(each.events) for each in rows)),
        ("gateways", (f"{each.gateways:,}" for each in rows)),
        ("log services", (f"{each.log_services:,}" for each in rows)),
        ("MongoDB commands an event", (number(each.commands_an_event) for each in rows)),
        ("MongoDB commands/s of the work", (number(each.commands) for each in rows)),
        ("MongoDB commands/s of sweeps and leases", (number(each.idle_commands) for each in rows)),
        ("MongoDB shards for the documents", (f"{each.shards:,}" for each in rows)),
        ("Elasticsearch data nodes for the log", (f"{each.search_nodes:,}" for each in rows)),
        ("queues at RabbitMQ", (f"{each.queues:,}" for each in rows)),
        ("gRPC connections, gateways to executors", (f"{each.channels:,}" for each in rows)),
        ("claims that get their run, a backlog of 20,000", (f"{each.useful_claims:.0%}" for each in rows)),
        ("runs claimed/s, a backlog of 20,000", (number(each.claims_a_second) for each in rows)),
    ]
    busy = [_line(["executors", *(f"{size:,}" for size in sizes)]), _line(["---"] * (len(sizes) + 1))]
    busy += [_line([name, *cells]) for name, cells in lines]
    enough = [size for size in sizes if size * UTILISATION / measured.executor.cpu >= SPREAD_LOAD]
    found = [spread(size, measured) for size in enough]
    idle = [
        _line([f"{number(SPREAD_LOAD)} events/s on so many executors", *(f"{size:,}" for size in enough)]),
        _line(["---"] * (len(enough) + 1)),
        _line(["MongoDB commands an event", *(number(commands) for commands, _ in found)]),
        _line(["median from arrival to the end's commit, ms", *(number(1000 * latency) for _, latency in found)]),
    ]
    return "\n".join([*busy, "", *idle, ""])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(tables(Measured(), Assumed()))
