"""How fast pages of a long trail come: `python -m tests.flow_manager.trail sqlite|mongo [--acts 100000]`.

The acts of some 200 days are written by the stores' own code; each question of the Backoffice is asked three times.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headrace_core.errors import Unavailable
from headrace_flow_manager.audit.model import Act
from headrace_flow_manager.audit.store import AuditStore
from headrace_flow_manager.query import Condition, ListQuery
from headrace_flow_manager.stores import mongo, mongo_audit, sqlite
from headrace_runtime.mongo import open_mongo

from tests.servers import Mongo

AT_ONCE = 500
ROUNDS = 3
STEP = timedelta(minutes=3)
LONG = {"name": "x" * 600, "flow": {str(number): "y" * 40 for number in range(10)}}


def act(number: int, acts: int, now: datetime) -> Act:
    return Act(
        act_id=f"a{number:09}",
        begun_at=now - STEP * (acts - number),
        actor_id=f"admin{number % 10}",
        actor_name=f"admin{number % 10}@example.com",
        address="127.0.0.1",
        request_id=f"r{number}",
        action="PUT /users/{id}",
        summary="Change a user" if number % 10 else "Delete a user with everything",
        target=f"user{number % 200}",
        tenant_id=f"user{number % 200}" if number % 2 else "",
        before=LONG,
        given={"name": "z"},
        after=LONG,
        status=200 if number % 20 else 404,
        ended_at=now,
    )


def questions(now: datetime) -> dict[str, ListQuery]:
    week = (now - timedelta(days=7)).date().isoformat()
    return {
        "newest": ListQuery(),
        "of one administrator": ListQuery((Condition("actorId", "equal", "admin3"),)),
        "done to one thing": ListQuery((Condition("target", "equal", "user7"),)),
        "refused": ListQuery((Condition("status", "greater", 299),)),
        "of the last week": ListQuery((Condition("at", "greater", week),)),
        "with a word, of the last week": ListQuery((Condition("at", "greater", week),), "DELETE"),
        "with a word": ListQuery(pattern="DELETE"),
        "with a word that is nowhere": ListQuery(pattern="nowhere"),
    }


@asynccontextmanager
async def opened(kind: str, folder: Path, acts: Sequence[Act]) -> AsyncIterator[AuditStore]:
    """The store of that kind, with these acts."""
    if kind == "sqlite":
        stores = await sqlite.open_stores(folder / "flow_manager.db")
        for first in range(0, len(acts), AT_ONCE):
            await asyncio.gather(*map(stores.audit.begin, acts[first : first + AT_ONCE]))
        yield stores.audit
        await stores.close()
        return
    with Mongo(folder / "mongo") as server:
        database = await open_mongo(server.url, "trail", mongo.VERSIONS)
        for first in range(0, len(acts), AT_ONCE):
            documents = [mongo_audit.document_of(each) for each in acts[first : first + AT_ONCE]]
            async with database.asking() as asked:
                await asked[mongo_audit.AUDIT].insert_many(documents, ordered=False)
        yield mongo.stores_of(database).audit
        await database.close()


async def main(kind: str, acts: int) -> None:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(Path(folder).chmod, 0o755)  # the server runs as a user of its own
        async with opened(kind, Path(folder), [act(number, acts, now) for number in range(acts)]) as trail:
            sys.stdout.write(f"{kind}, {acts:,} acts\n\n| asked for | page, ms | found |\n|---|---|---|\n")
            for name, query in questions(now).items():
                took, found = [], 0
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    try:
                        found = (await trail.page(query)).total
                    except Unavailable:
                        break
                    took.append((time.perf_counter() - began) * 1000)
                said = f"{statistics.median(took):,.0f} | {found:,}" if took else "not within 10 s | –"
                sys.stdout.write(f"| {name} | {said} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measures pages of the audit trail.")
    parser.add_argument("kind", choices=("sqlite", "mongo"))
    parser.add_argument("--acts", type=int, default=100_000)
    given = parser.parse_args()
    asyncio.run(main(given.kind, given.acts))
