"""S17: hostile questions to every list, at one platform or more, against what going through everything finds.

Each platform is asked the same and judged by its own lists, which hold the same but for ids and times. An answer is the
page that brute force finds, item by item, or 400 where there is nothing to be asked; it takes little processor time,
and nothing of the other tenant is in it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
from headrace_gateway.access import TASK_PREFIXES
from headrace_gateway.routes import ROUTES

from . import brute_force, lucene
from .asking import Asked, Asker
from .brute_force import Listing, Refused
from .furnishing import CANARY, furnish, furnish_accounts, furnish_groups
from .people import People, until
from .progress import Progress, nobody_hears

LONGEST_SECONDS = 1.0
"""Processor time of this process while one question is answered: none is this hard."""
MOST_FAILURES = 20
LOG_SHARE = 0.15
PLACES: Mapping[str, tuple[Sequence[str], str]] = {
    "/flows": (("name",), "/flows/count"),
    "/stores": (("name",), ""),
    "/store": (("key", "value"), "/store/count"),
    "/store/{id}/find/{pattern}": (("key", "value"), ""),
    "/files": (("filename",), "/files/count"),
    "/charts": (("name",), ""),
    "/users": (("username", "email"), "/users/count"),
    "/groups": (("name",), ""),
    "/system/audit": (("actor", "action", "summary", "target"), "/system/audit/count"),
    "/accounts": (("label", "name", "service"), "/accounts/count"),
    **{f"{prefix}/tasks": (("title",), f"{prefix}/tasks-count") for prefix in TASK_PREFIXES},
}
"""Path → the fields that a pattern looks at, and where its items are counted."""
OF_EVERYBODY = ("/users", "/system/audit")
"""Lists of what is not one tenant's."""
FOUND_BY = "an"


@dataclass(slots=True)
class Report:
    """What was asked and answered; `failures` is what must not be."""

    seed: int
    statuses: Counter[int] = field(default_factory=Counter)
    found: int = 0
    failures: list[str] = field(default_factory=list)
    longest_seconds: float = 0.0

    @property
    def questions(self) -> int:
        return self.statuses.total()

    @property
    def holds(self) -> bool:
        return not self.failures

    def explained(self) -> str:
        """What is wrong, line by line; empty when nothing is."""
        return "\n".join(self.failures)

    def line(self) -> str:
        """The counts, in one line."""
        statuses = " ".join(f"{status}={count}" for status, count in sorted(self.statuses.items()))
        slowest = f"longest={self.longest_seconds:.3f}s"
        failures = f"failures={len(self.failures)}"
        return f"S17 {failures} answers={self.questions} {statuses} found={self.found} {slowest} seed={self.seed}"


def filtered_paths() -> set[str]:
    """Every path that says that it takes filters."""
    return {route.path for route in ROUTES if any(each.name == "filter" for each in route.parameters)}


@dataclass(slots=True)
class Room:
    """One platform as Ann sees it: her lists, and who is asked for them."""

    name: str
    people: People
    ids: Mapping[str, str]
    listings: dict[str, Listing] = field(default_factory=dict)
    records: Sequence[brute_force.Item] = ()

    @classmethod
    async def furnished(cls, name: str, people: People) -> Room:
        """Ann and Bob with the same in their lists."""
        ids = await furnish(people.ann, f"ann{people.mark}")
        await furnish(people.bob, CANARY + people.mark, every=5)
        await furnish_groups(people.admin)
        await furnish_accounts(people.admin, people.ann)
        room = cls(name, people, ids)
        for path, (named, _) in PLACES.items():
            everything = await room.whole(path)
            assert len(everything) > 1, path
            assert path in OF_EVERYBODY or CANARY not in json.dumps(everything)
            pattern = FOUND_BY if path.endswith("{pattern}") else ""
            room.listings[path] = Listing(everything, named, pattern)
        room.listings["/store/{id}/find/{pattern}"] = Listing(room.listings["/store"].items, ("key", "value"), FOUND_BY)
        search = f"/logs?size=1000&flowId={ids['flow']}"
        seen = await until(lambda: people.ann.get(search), lambda said: said["total"] == lucene.RECORDS)
        room.records = seen["hits"]
        return room

    async def whole(self, path: str) -> list[brute_force.Item]:
        """Everything in a list, page by page."""
        items: list[brute_force.Item] = []
        while True:
            page = await self.get(path, f"limit=1000&offset={len(items)}")
            assert page.status_code == 200, page.text
            items += page.json()
            if len(page.json()) < 1000:
                return items

    async def get(self, path: str, query: str) -> httpx.Response:
        """The answer to whoever may ask."""
        client = self.people.admin if path.startswith(("/users", "/groups", "/system")) else self.people.ann
        target = path.replace("{id}", self.ids["store"]).replace("{pattern}", FOUND_BY)
        if path in ("/store", "/store/count"):
            query = f"storeId={self.ids['store']}&{query}"
        return await client.get(client.base_url.copy_with(raw_path=f"{target}?{query}".encode()))


async def ask_everything(
    people: Mapping[str, People], count: int, seed: int, *, mutant: str = "", asked_so_far: Progress = nobody_hears
) -> Report:
    """Ask `count` hostile questions at each platform. Equal seeds ask about equal lists the same, but for ids."""
    report = Report(seed)
    random = Random(seed)
    rooms = [await Room.furnished(name, each) for name, each in people.items()]
    askers = {path: _asker(random, rooms[0], path) for path in PLACES}
    searcher = lucene.Searcher.of(random, rooms[0].records)
    for number in range(count):
        if len(report.failures) >= MOST_FAILURES:
            break
        asked_so_far(number, count)
        if random.random() < LOG_SHARE:
            await _search(rooms, searcher, report)
        else:
            path = random.choice(list(PLACES))
            asked = askers[path].next()
            query = asked.query(random)
            await asyncio.gather(*(_ask(room, path, asked, query, report, mutant) for room in rooms))
    return report


def _asker(random: Random, room: Room, path: str) -> Asker:
    route = next(each for each in ROUTES if each.path == path and each.method == "GET")
    has_projection = any(each.name == "projection" for each in route.parameters)
    return Asker.of(random, room.listings[path], has_projection=has_projection, has_count=bool(PLACES[path][1]))


async def _ask(room: Room, path: str, asked: Asked, query: str, report: Report, mutant: str) -> None:
    listing = room.listings[path]
    where = PLACES[path][1] if asked.only_count else path
    sent = MUTANTS[mutant](query) if mutant else query
    try:
        expected: Any = (
            {"count": brute_force.count(listing, asked.parameters)}
            if asked.only_count
            else brute_force.page(listing, asked.parameters)
        )
        status = 200
    except Refused:
        expected, status = None, 400
    answer = await _timed(room, where, sent, report)
    told = f"{room.name} {where}?{query[:1500]} asks {asked.parameters!r:.1500}"
    if answer.status_code != status:
        report.failures.append(f"{answer.status_code} instead of {status}: {told}: {answer.text[:300]}")
    elif status == 200:
        said = json.loads(answer.content)
        report.found += len(said)
        if said != expected:
            report.failures.append(f"other items: {told}: {difference(said, expected)}")
        if CANARY in answer.text and path not in OF_EVERYBODY:
            report.failures.append(f"another tenant's: {told}")


async def _search(rooms: Sequence[Room], searcher: lucene.Searcher, report: Report) -> None:
    """Ask the log: what a query was made of says what it finds, and what is no query is so everywhere."""
    asked = searcher.next()
    answers = [await _timed(room, "/logs", asked.query({"flowId": room.ids["flow"]}), report) for room in rooms]
    for room, answer in zip(rooms, answers, strict=True):
        told = f"{room.name} /logs {asked.text[:600]!r} {asked.parameters!r:.300}"
        if answer.status_code not in (200, 400) or CANARY in _beyond(asked.text, answer):
            report.failures.append(f"{answer.status_code}: {told}: {answer.text[:300]}")
        elif asked.test is not None and answer.status_code == 200:
            report.failures += [f"{wrong}: {told}" for wrong in asked.complaints(room.records, answer.json())]
            report.found += len(answer.json()["hits"])
        elif asked.test is not None:
            report.failures.append(f"refused: {told}: {answer.text[:300]}")
    said = {(each.status_code, each.json().get("total")) for each in answers}
    if len(said) > 1 and not asked.is_about_times:
        report.failures.append(f"{said} at {[room.name for room in rooms]}: {asked.text[:600]!r}")


def _beyond(asked: str, answer: httpx.Response) -> str:
    """What an answer says that the question did not: a refusal names pieces of the question."""
    return "" if answer.status_code == 400 and CANARY in asked else answer.text.replace(asked, "")


async def _timed(room: Room, where: str, query: str, report: Report) -> httpx.Response:
    before = time.process_time()
    answer = await room.get(where, query)
    seconds = time.process_time() - before
    report.longest_seconds = max(report.longest_seconds, seconds)
    report.statuses[answer.status_code] += 1
    if seconds > LONGEST_SECONDS:
        report.failures.append(f"busy for {seconds:.2f} s: {room.name} {where}?{query[:1500]}")
    return answer


def difference(said: Any, expected: Any) -> str:
    """Where two answers part, in short."""
    if not isinstance(said, list):
        return f"{said!r:.200} instead of {expected!r:.200}"
    for number, (one, other) in enumerate(zip(said, expected, strict=False)):
        if one != other:
            return f"{len(said)} for {len(expected)}, item {number}: {one!r:.400} instead of {other!r:.400}"
    return f"{len(said)} instead of {len(expected)} items"


def _deaf(query: str) -> str:
    """A mutant: no filter is looked at."""
    return query.replace("filter=", "ignored=").replace("filter%5B%5D=", "ignored=")


def _loose(query: str) -> str:
    """A mutant: what must not be is taken for what must be."""
    return query.replace("%3A%21", "%3A").replace(":!", ":")


MUTANTS = {"deaf": _deaf, "loose": _loose}
