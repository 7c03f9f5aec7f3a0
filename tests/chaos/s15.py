"""S15: a bundle is what was published, nothing runs when its packages are installed, and it calls whom it declares.

`python -m tests.chaos.s15 --level ci|nightly [--mutant any_host]` from the root of the repository. Bundles of both
languages declare a host and call it, others of this machine, addresses that no declared name led to, and names that
nobody declared, in every way that their libraries know; the declared one must answer and nobody else be heard. Archives
that a source hands out instead of the content that a flow is pinned to (a byte changed, a file added, taken away or
renamed, an older version, a cut one) must be refused before any of their code runs. And packages are installed from a
registry on this machine whose packages bring install scripts: none may leave its mark.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from headrace_core.archives import write_archive
from headrace_core.bundles import content_id
from headrace_core.errors import HeadraceError
from headrace_executor.ports import PublishedComponent
from headrace_executor.runners.bundles import LIMITS, Bundles
from headrace_flow_manager.npm import Npm

from tests.chaos.confined import LANGUAGES, Verdict, confined
from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.executor.platform import HandedFlows, platform
from tests.executor.test_fence import JAVASCRIPT, PYTHON, greeting
from tests.executor.test_runners import QUICK, put, sent
from tests.executor.test_runners import run as run_flow
from tests.flow_manager.house import open_house
from tests.flow_manager.registry import registry
from tests.flow_manager.test_packages import MANIFEST, PACKAGES, ROOT, TYPE, connector, content_of
from tests.flow_manager.test_packages import Source as Published
from tests.flow_manager.test_publishing import developer, publish

CODE = {"python": PYTHON, "javascript": JAVASCRIPT}
DECLARED, OTHERS = "localhost", ("127.0.0.2", "127.0.0.3", "127.1.2.3")
UNKNOWN = ("elsewhere.test", "localhost.elsewhere.test", "xlocalhost", "notlocalhost.test")
FILES: Mapping[str, bytes] = {
    "acme/own/core/Own/component.py": b"MARK = 1\n",
    "acme/own/core/Own/component.json": b'{"name": "acme.own.core.Own"}',
    "acme/own/service.json": b'{"name": "acme.own", "version": "2.0.0"}',
}


@dataclass(frozen=True, slots=True)
class Level:
    """How many bytes are changed, one archive each."""

    altered: int


LEVELS = {"short": Level(20), "ci": Level(300), "nightly": Level(3_000)}


async def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    verdict = Verdict("S15")
    await _call_hosts(folder / "executor", mutant, verdict)
    await _refuse_others(folder / "bundles", level, random.Random(seed), verdict)
    await _install(folder / "house", verdict)
    return verdict


async def _call_hosts(folder: Path, mutant: str, verdict: Verdict) -> None:
    """In each language: the declared one answers, and nobody else is heard."""
    with contextlib.ExitStack() as stack:
        port, heard = stack.enter_context(greeting("127.0.0.1"))
        others = {address: stack.enter_context(greeting(address)) for address in OTHERS}
        places: list[tuple[str, int]] = [(address, other) for address, (other, _) in others.items()]
        places += [(name, port) for name in UNKNOWN]
        async with confined(folder, mutant=mutant, egress_allow_private=True) as here:
            for language in LANGUAGES:
                made = here.publish(language, CODE[language], hosts=[DECLARED])
                answers = await here.answers(made, [*map(list, places), [DECLARED, port]])
                _judge(language, answers, len(places), verdict)
        wrong = sum(len(visitors) for _, visitors in others.values())
    verdict.told |= {"declared_calls": len(heard), "undeclared_connections": wrong}
    if wrong:
        verdict.wrong.append(f"hosts: {wrong} connections arrived where no bundle declared to call")


def _judge(language: str, answers: object, closed: int, verdict: Verdict) -> None:
    if not isinstance(answers, list):
        verdict.wrong.append(f"{language}: the component failed: {answers}")
        return
    ways = len(answers) // (closed + 1)
    if "hi" in answers[:-ways]:
        verdict.wrong.append(f"{language}: an undeclared host was answered: {answers}")
    if answers[-ways:] != ["hi"] * ways:
        verdict.wrong.append(f"{language}: the declared host was not: {answers[-ways:]}")


# What a source hands out.


class Source:
    """Hands out whatever it is told to, whatever it is asked for."""

    def __init__(self, archive: bytes) -> None:
        self._archive = archive

    async def read(self, bundle_id: str) -> AsyncIterator[bytes]:
        yield self._archive


async def _refuse_others(folder: Path, level: Level, drawn: random.Random, verdict: Verdict) -> None:
    wanted, good = content_id(FILES), write_archive(FILES)
    taken = refused = 0
    for number, (what, archive) in enumerate(_forged(good, level.altered, drawn)):
        place = folder / str(number)
        try:
            found = await Bundles(place, Source(archive), LIMITS.total_bytes).folder(wanted)
        except HeadraceError:
            refused += 1
            if any(each for each in place.iterdir()):
                verdict.wrong.append(f"bundles: {what} was refused, and something of it was left")
            continue
        taken += 1
        files = {str(file.relative_to(found)): file.read_bytes() for file in found.rglob("*") if file.is_file()}
        if files != FILES:
            verdict.wrong.append(f"bundles: {what} was taken for what it is not")
    verdict.told |= {"forged_refused": refused, "harmless_taken": taken}
    if not refused:
        verdict.wrong.append("bundles: none was refused, so nothing is proved")
    found = await Bundles(folder / "good", Source(good), LIMITS.total_bytes).folder(wanted)
    if not (found / "acme/own/service.json").is_file():
        verdict.wrong.append("bundles: the right one was not taken")


def _forged(good: bytes, altered: int, drawn: random.Random) -> Sequence[tuple[str, bytes]]:
    """Archives in the place of another: other files, and the same archive with a byte that is not as it was."""
    first, *_ = FILES
    older = {**FILES, "acme/own/service.json": b'{"name": "acme.own", "version": "1.0.0"}'}
    other = {
        "one with another file": {**FILES, "acme/own/core/Own/evil.py": b""},
        "one with a file less": {path: text for path, text in FILES.items() if path != first},
        "one with other code": {**FILES, first: b"MARK = 2\n"},
        "one with a file of another name": {
            f"{path}x" if path == first else path: text for path, text in FILES.items()
        },
        "an older version": older,
        "an empty one": {},
    }
    made = [(what, write_archive(files)) for what, files in other.items()]
    made += [("a cut one", good[: len(good) // 2]), ("none", b""), ("something else", b"#!/bin/sh\n")]
    for place in drawn.choices(range(len(good)), k=altered):
        changed = bytearray(good)
        changed[place] ^= 1 << drawn.randrange(8)
        made.append((f"one with byte {place} changed", bytes(changed)))
    return made


# What npm installs.


async def _install(folder: Path, verdict: Verdict) -> None:
    """Scripts of packages do not run when they are installed, and who runs the connector asks no registry."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    with pytest.MonkeyPatch.context() as environment:
        async with open_house(folder, packages=Npm()) as house:
            ann = await developer(house, "dev", "zoo")
            with registry(PACKAGES, environment) as shop:
                told = await publish(house, ann, connector(**{"left-word": "^1.0.0"}))
                asked = len(shop.asked)
            flows, place = HandedFlows(), folder / "executor"
            await asyncio.to_thread(place.mkdir)
            put(flows, PublishedComponent(TYPE, MANIFEST, await content_of(house), ROOT, "javascript"))
            async with platform(place, flows, shelf=Published(house), runners=QUICK) as here:  # the registry is gone
                answers = sent(await run_flow(here))
            verdict.told |= {"registry_asked": asked, "asked_later": len(shop.asked) - asked}
    if told.error or answers != [{"word": "left 1", "lodash": "undeclared", "scripts": False}]:
        verdict.wrong.append(f"packages: {told.error or answers}")
    if len(shop.asked) > asked:
        verdict.wrong.append("packages: the registry was asked after the connector had been published")


def main() -> int:
    chosen = command(__doc__, LEVELS, "any_host").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        told = [f"{len(OTHERS) + len(UNKNOWN)} undeclared places in two languages, {level.altered} changed bytes, npm"]
        return play(chosen, told, lambda: asyncio.run(run(folder, level, chosen.seed, chosen.mutant)))


if __name__ == "__main__":
    sys.exit(main())
