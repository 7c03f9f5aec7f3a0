"""S7: a published component reaches no file, no process and no socket that is not its own.

`python -m tests.chaos.s7 --level ci|nightly [--mutant open_files|open_network]` from the root of the repository. An
executor runs in this process; components in Python and in JavaScript try more than sixty ways each to read what is not
theirs, to start or hurt processes, and to be heard by listeners on this machine. None may work, nobody may be heard,
and the runner must be alive and fit to work behind all of them. Then each is tried in a process that nothing confines,
where every one has to work: else it would prove nothing. What a warm run and a new process cost is told, not judged.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.chaos.confined import LANGUAGES, Confined, Language, Verdict, confined
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.executor.probes import NODE, PYTHON, WORKED, Given, forbidden, node_code, python_code, unconfined

CALLS = 50


@dataclass(frozen=True, slots=True)
class Level:
    """How often all are tried, each time in another order, and whether also where nothing is confined."""

    rounds: int
    is_proved: bool


LEVELS = {"short": Level(1, is_proved=False), "ci": Level(3, is_proved=True), "nightly": Level(30, is_proved=True)}
PROBES: Mapping[Language, Mapping[str, str]] = {"python": PYTHON, "javascript": NODE}


async def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    """Try all of them in both languages."""
    verdict = Verdict("S7")
    drawn = random.Random(seed)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with forbidden(folder / "kept") as (given, heard):
        async with confined(folder / "executor", mutant=mutant) as here:
            for language in LANGUAGES:
                for number in range(level.rounds):
                    await _try_all(here, language, number, drawn, given, verdict)
                verdict.told |= await _costs(here, language)
    verdict.wrong += [f"heard: a probe arrived by {kind}" for kind in heard]
    if level.is_proved and not mutant:
        await _prove(folder, verdict)
    return verdict


async def _try_all(
    here: Confined, language: Language, number: int, drawn: random.Random, given: Given, verdict: Verdict
) -> None:
    probes = list(PROBES[language].items())
    drawn.shuffle(probes)
    code = (python_code if language == "python" else node_code)(dict(probes))
    seen = await here.answers(here.publish(language, code, f"Probe{number}"), given.told())
    if not isinstance(seen, dict) or seen.get("own") != "mine":
        verdict.wrong.append(f"{language}: the runner did not come through: {seen}")
        return
    verdict.told[f"{language}_probes"] = len(probes)
    verdict.wrong += [f"{language}: {name} worked" for name, words in seen.items() if words == WORKED]
    verdict.wrong += [f"{language}: {name} was not tried" for name, _ in probes if name not in seen]


async def _prove(folder: Path, verdict: Verdict) -> None:
    for language in LANGUAGES:
        place = folder / f"{language}-unconfined"
        place.mkdir()
        with forbidden(place / "kept") as (given, _):
            failed = await unconfined(place, given, language)
        verdict.wrong += [f"{language}: {name} proves nothing: {words}" for name, words in failed.items()]
        verdict.told[f"{language}_unconfined"] = len(PROBES[language]) - len(failed)


async def _costs(here: Confined, language: Language) -> dict[str, object]:
    """Milliseconds of a run in a new process, and of one in a process that is there: whole runs, from the event on."""
    code = {
        "python": "from headrace_sdk import Component\n\n\nclass Plain(Component):\n"
        "    async def receive(self, context):\n        await context.send_json(1)\n",
        "javascript": "module.exports = { receive: (context) => context.sendJson(1, 'out') };",
    }
    plain = here.publish(language, code[language], "Plain")
    spans = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await here.answers(plain, 1)
        spans.append(time.perf_counter() - began)
    return {f"{language}_new_ms": round(spans[0] * 1000), f"{language}_warm_ms": round(median(spans[1:]) * 1000, 1)}


def main() -> int:
    chosen = command(__doc__, LEVELS, "open_files or open_network").parse_args()
    level = LEVELS[chosen.level]
    count = sum(map(len, PROBES.values()))
    with served_folder(chosen.keep) as folder:
        told = [f"{count} probes in two languages, {level.rounds} times"]
        return play(chosen, told, lambda: asyncio.run(run(folder, level, chosen.seed, chosen.mutant)))


if __name__ == "__main__":
    sys.exit(main())
