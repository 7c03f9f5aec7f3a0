"""What Elasticsearch has of the runs: every step's record must be there, and none twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.chaos.dump import Dump
from tests.system.process import Client

PAGE = 5_000
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Logs:
    """How often each record is there, by its id."""

    records: Counter[str]

    def complaints(self, dump: Dump) -> list[str]:
        """What is missing of the dump's steps, and what is there twice."""
        double = sorted(record for record, count in self.records.items() if count > 1)
        return [*_told("missing", self.missing(dump)), *_told("double", double)]

    def missing(self, dump: Dump) -> list[str]:
        """The records of the dump's steps that are not there."""
        return sorted(_expected(dump) - self.records.keys())


def _expected(dump: Dump) -> set[str]:
    """The records that tell of the arrivals at the steps of the load's runs."""
    runs = {run.run_id for run in dump.runs}
    return {f"{step.step_id}.in" for step in dump.steps if step.run_id in runs}


def _told(what: str, records: Iterable[str]) -> list[str]:
    found = list(records)
    return [f"logs: {len(found)} records are {what}: {', '.join(found[:SHOWN])}"] if found else []


def read(port: int, prefix: str) -> Logs:
    """All records in the indices of that prefix."""
    client = Client(port)
    client.post(f"/{prefix}-logs/_refresh")
    found: Counter[str] = Counter()
    answer = _asked(client, f"/{prefix}-logs/_search?scroll=1m", {"size": PAGE, "_source": ["recordId"]})
    while hits := answer["hits"]["hits"]:
        found.update(hit["_source"]["recordId"] for hit in hits)
        answer = _asked(client, "/_search/scroll", {"scroll": "1m", "scroll_id": answer["_scroll_id"]})
    return Logs(found)


def _asked(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text)
    return found
