"""What filters, updates and pipelines of plugins mean, in Python and in JavaScript alike: one table for both."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import headrace_node_runner
import pytest
from headrace_runtime.nodejs import find_node
from headrace_sdk.aggregation import aggregated
from headrace_sdk.documents import fits, packed, unpacked, updated
from headrace_sdk.errors import CancelError

CASES: dict[str, list[Any]] = json.loads((Path(__file__).parent / "documents.json").read_text())
DOCUMENTS = CASES["documents"]

IN_JAVASCRIPT = """
    import { aggregated } from '%(folder)s/aggregation.js';
    import { fits, packed, unpacked, updated } from '%(folder)s/documents.js';
    import { readFileSync } from 'node:fs';

    const cases = unpacked(JSON.parse(readFileSync(0, 'utf8')));
    const { documents } = cases;
    const refusal = (work) => {
        try {
            return ['taken', work()];
        } catch (error) {
            return [error.name];
        }
    };
    console.log(JSON.stringify(packed({
        finds: cases.finds.map(({ filter }) => documents.filter((each) => fits(each, filter)).map(({ _id }) => _id)),
        updates: cases.updates.map(({ document, update, new: isNew }) => updated(document, update, isNew)),
        pipelines: cases.pipelines.map(({ pipeline }) => aggregated(documents, pipeline)),
        refused: cases.refused.map(({ filter, update, pipeline }) => refusal(() =>
            filter ? documents.filter((each) => fits(each, filter))
                : update ? updated(documents[0], update) : aggregated(documents, pipeline)))
    })));
    """


def in_python(cases: dict[str, list[Any]]) -> dict[str, list[Any]]:
    cases = unpacked(cases)
    documents = cases["documents"]

    def refusal(case: dict[str, Any]) -> list[Any]:
        try:
            if "filter" in case:
                return ["taken", [fits(each, case["filter"]) for each in documents]]
            if "update" in case:
                return ["taken", updated(documents[0], case["update"])]
            return ["taken", aggregated(documents, case["pipeline"])]
        except CancelError as error:
            return [type(error).__name__]

    found = {
        "finds": [[each["_id"] for each in documents if fits(each, case["filter"])] for case in cases["finds"]],
        "updates": [
            updated(case["document"], case["update"], is_new=case.get("new", False)) for case in cases["updates"]
        ],
        "pipelines": [aggregated(documents, case["pipeline"]) for case in cases["pipelines"]],
        "refused": [refusal(case) for case in cases["refused"]],
    }
    assert documents == unpacked(DOCUMENTS), "nothing changes what it is given"
    return dict(packed(found))


def in_javascript(cases: dict[str, list[Any]]) -> dict[str, list[Any]]:
    code = IN_JAVASCRIPT % {"folder": Path(headrace_node_runner.__file__).parent}
    command = [str(find_node()), "--input-type=module", "--eval", code]
    done = subprocess.run(command, input=json.dumps(cases).encode(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("language", [in_python, in_javascript])
def test_both_languages_mean_the_same(language: Any) -> None:
    found = language(CASES)

    for case, ids in zip(CASES["finds"], found["finds"], strict=True):
        assert ids == case["ids"], case
    for case, document in zip(CASES["updates"], found["updates"], strict=True):
        assert document == case["result"], case
    for case, made in zip(CASES["pipelines"], found["pipelines"], strict=True):
        assert made == case["result"], case
    for case, became in zip(CASES["refused"], found["refused"], strict=True):
        assert became == ["CancelError"], case
