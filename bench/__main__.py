"""Measure our platform, in one process and as services, beside Node-RED and n8n where PEERS_HOME has them."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from bench import catalog, machine, report, runners
from bench.backing import Backing
from bench.benchmark import measure
from bench.peers.choice import choose, names
from bench.plan import JOBS, Plan
from bench.results import EMBEDDED, OURS
from tests.servers.install import Missing

Number = TypeVar("Number", int, float)

DEFAULT = Plan()
RESULTS = Path(__file__).parent / "results"
MAX_ROUNDS, MAX_SECONDS, MAX_EVENTS, MAX_CALLERS = 20, 120.0, 4_000, 256


def main(arguments: Sequence[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    plan = Plan(
        jobs=tuple(options.scenarios),
        rounds=options.rounds,
        seconds=options.seconds,
        callers=tuple(options.callers),
        events=options.events,
    )
    home = options.peers_home.resolve() if options.peers_home else None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no peer is left behind
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder, Backing() as backing:
        try:
            peers = choose(options.peers or names(home), home, Path(folder), backing)
        except ValueError as error:
            parser.error(str(error))
        setting = report.Setting(
            began=time.strftime("%Y-%m-%d %H:%M"),
            machine=machine.describe(),
            calibration=machine.calibrate(Path(folder)),
            load_average=os.getloadavg()[0],
            versions={peer.name: peer.version() for peer in peers},
            plan=plan,
        )
        try:
            results = measure(peers, plan, Path(folder), _say)
        except Missing as error:
            parser.error(f"{error}\n--peers {EMBEDDED} needs no servers.")
    report.write_json(options.out, results, setting)
    print(f"\n{report.markdown(results, setting)}")
    if options.components:
        _say("components through runners, and the start of a flow beside many")
        print("\n".join(report.markdown_table(runners.HEADING, runners.rows(runners.measure_all(runners.CALLS)))))
        print("\n" + "\n".join(report.markdown_table(catalog.HEADING, catalog.measure_all())))
    return 1 if any(mishap.peer in OURS for mishap in results.mishaps) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    home = os.environ.get("PEERS_HOME")
    parser.add_argument("--scenarios", nargs="+", choices=JOBS, default=JOBS, help="jobs to do; all by default")
    parser.add_argument(
        "--rounds", type=_within(int, 1, MAX_ROUNDS), default=DEFAULT.rounds, help="default %(default)s"
    )
    parser.add_argument(
        "--seconds", type=_within(float, 0.5, MAX_SECONDS), default=DEFAULT.seconds, help="of each load, %(default)s"
    )
    parser.add_argument(
        "--callers",
        nargs="+",
        type=_within(int, 1, MAX_CALLERS),
        default=DEFAULT.callers,
        help="of F1; F3 takes the last",
    )
    parser.add_argument(
        "--events", type=_within(int, 1, MAX_EVENTS), default=DEFAULT.events, help="of F2 at most, default %(default)s"
    )
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="who takes part; everybody installed by default")
    parser.add_argument(
        "--peers-home", type=Path, default=home and Path(home), help="where the others are installed: see docs"
    )
    parser.add_argument(
        "--components",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also what a call of a published component costs, and what many of them cost the start of a flow",
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "latest.json", help="default %(default)s")
    return parser


def _within(kind: Callable[[str], Number], least: Number, most: Number) -> Callable[[str], Number]:
    def read(text: str) -> Number:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not within {least} and {most}.")
        return value

    return read


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
