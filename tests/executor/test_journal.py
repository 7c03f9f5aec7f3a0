"""The records alone bring a run back, wherever it was cut off."""

from __future__ import annotations

from typing import Any

from headrace_core.flow import parse_descriptor
from headrace_core.graph import Graph
from headrace_executor.firing import rules_for
from headrace_executor.journal import Progress, StepResult, read_steps
from headrace_executor.model import Delivery, Message
from hypothesis import given, settings
from hypothesis import strategies as st

TYPE = "headrace.utils.controls.SetVariable"


def graph_of(sources: dict[str, list[str]]) -> Graph:
    descriptor: dict[str, Any] = {
        name: {"type": TYPE, "x": 0, "y": 0, "source": {"in": {source: ["out"] for source in above}} if above else {}}
        for name, above in sources.items()
    }
    return Graph(parse_descriptor(descriptor))


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Acyclic flows of up to eight nodes below one trigger."""
    names = [f"n{index}" for index in range(draw(st.integers(2, 8)))]
    sources: dict[str, list[str]] = {names[0]: []}
    for index, name in enumerate(names[1:], start=1):
        sources[name] = sorted(draw(st.sets(st.sampled_from(names[:index]), min_size=1, max_size=3)))
    return sources


def start(sources: dict[str, list[str]], joins: set[str]) -> Progress:
    graph = graph_of(sources)
    patterns = {name: [{"in": "A"}] for name in joins}
    entry = Delivery("run", Message("run", "", "webhook", {}), "n0", "webhook")
    progress = Progress("run", graph, rules_for(graph, "n0", patterns), entry)
    return progress


def fire(progress: Progress, delivery: Delivery, copies: int) -> None:
    outputs: list[tuple[str, Any]] = [("out", {"copy": copy}) for copy in range(copies)]
    progress.ready.extend(progress.finish(delivery, StepResult("done", 1, 0.0, 0.0, None, outputs)))


def walk(progress: Progress, copies: dict[str, int], steps: int) -> list[bytes]:
    chunks = []
    while progress.ready and steps:
        delivery = progress.ready.popleft()
        fire(progress, delivery, copies.get(delivery.node, 1))
        chunks.append(progress.take_records())
        steps -= 1
    return chunks


@settings(max_examples=150, deadline=None)
@given(graphs(), st.data())
def test_a_run_that_was_cut_off_anywhere_ends_as_if_it_had_not_been(
    sources: dict[str, list[str]], data: st.DataObject
) -> None:
    joins = data.draw(st.sets(st.sampled_from(sorted(set(sources) - {"n0"}))), label="joins")
    copies = {name: data.draw(st.integers(0, 2), label=name) for name in sources}
    whole = start(sources, joins)
    whole.replay([])
    expected = walk(whole, copies, 10_000)
    assert not whole.pending

    cut = data.draw(st.integers(0, len(expected)), label="cut")
    again = start(sources, joins)
    again.replay(expected[:cut])
    rest = walk(again, copies, 10_000)

    assert not again.pending
    assert again.steps == whole.steps
    ids = [step.step_id for step in read_steps([*expected[:cut], *rest], "run")]
    assert len(ids) == len(set(ids))
    assert set(ids) == {step.step_id for step in read_steps(expected, "run")}


def test_a_join_fires_once_per_lineage_group() -> None:
    sources = {"n0": [], "n1": ["n0"], "n2": ["n0"], "n3": ["n1", "n2"]}
    progress = start(sources, {"n3"})
    progress.replay([])
    chunks = walk(progress, {}, 100)

    nodes = [step.node_id for step in read_steps(chunks, "run")]
    assert sorted(nodes) == ["n0", "n1", "n2", "n3"]


def test_a_join_whose_other_branch_says_nothing_fires_with_what_there_is() -> None:
    sources = {"n0": [], "n1": ["n0"], "n2": ["n0"], "n3": ["n1", "n2"]}
    progress = start(sources, {"n3"})
    progress.replay([])
    chunks = walk(progress, {"n2": 0}, 100)

    nodes = [step.node_id for step in read_steps(chunks, "run")]
    assert sorted(nodes) == ["n0", "n1", "n2", "n3"]


def test_outputs_of_a_step_that_goes_on_are_not_sent_again() -> None:
    progress = start({"n0": [], "n1": ["n0"]}, set())
    progress.replay([])
    entry = progress.ready.popleft()
    progress.checkpoint(entry, [("out", 0), ("out", 1)])
    chunk = progress.take_records()

    again = start({"n0": [], "n1": ["n0"]}, set())
    again.replay([chunk])

    assert again.pending["run"].checkpoint == 2
    assert {each.message.content for each in again.pending.values() if each.node == "n1"} == {0, 1}


def test_an_end_by_order_leaves_nothing_pending() -> None:
    progress = start({"n0": [], "n1": ["n0"]}, set())
    progress.replay([])
    progress.cancel("Cancelled.")
    again = start({"n0": [], "n1": ["n0"]}, set())
    again.replay([progress.take_records()])
    assert again.ended
    assert not again.pending
    assert again.error == "Cancelled."


def test_a_repeated_step_hears_again_what_its_nodes_memory_answered_before_others_went_on() -> None:
    sources = {"n0": [], "n1": ["n0"]}
    progress = start(sources, set())
    progress.replay([])
    fire(progress, progress.ready.popleft(), 2)
    first, second = progress.ready
    progress.remember(first, "1", ["add", "seen", "first"], is_pure=False)
    progress.remember(second, "1", ["add", "seen", "second"], is_pure=False)
    progress.finish(second, StepResult("done", 1, 0.0, 0.0))
    chunk = progress.take_records()

    again = start(sources, set())
    again.replay([chunk])

    assert [delivery.id for delivery in again.ready] == [first.id]
    assert again.remember(again.ready[0], "1", ["add", "seen", "first"], is_pure=False) == ["first"]
    assert again.memories.of("n1") == {"seen": ["first", "second"]}


def test_what_a_step_writes_into_its_nodes_memory_stays_with_its_record() -> None:
    progress = start({"n0": []}, set())
    progress.replay([])
    entry = progress.ready.popleft()
    progress.remember(entry, "1", ["inc", "count", 2], is_pure=True)
    assert progress.unsettled
    changes = [["set", "a", 1], ["set", "b", 2], ["unset", "a", None]]
    progress.finish(entry, StepResult("done", 1, 0.0, 0.0, memory=changes))

    again = start({"n0": []}, set())
    again.replay([progress.take_records()])

    assert again.memories.of("n0") == progress.memories.of("n0") == {"count": 2, "b": 2}


def test_an_edit_of_one_of_the_messages_that_joined_stands_in_the_journal() -> None:
    sources = {"n0": [], "n1": ["n0"], "n2": ["n0"], "n3": ["n1", "n2"]}
    progress = start(sources, {"n3"})
    progress.replay([])
    chunks = walk(progress, {}, 3)
    [joined] = progress.ready
    progress.finish(joined, StepResult("failed", 1, 0.0, 0.0, error={"message": "no"}))
    failed = progress.take_records()

    retried = progress.arrive(joined.id, None, None, [("in", 1, {"list": [1]})])
    assert retried is joined
    again = start(sources, {"n3"})
    again.replay([*chunks, failed, progress.take_records()])

    for each in (progress, again):
        revived = each.pending[joined.id]
        one, other = each.parts_of(revived)
        assert (one.is_edited, other.is_edited, other.content) == (False, True, {"list": [1]})
    assert [delivery.id for delivery in again.ready] == [joined.id]
    fire(again, again.ready.popleft(), 0)
    assert not again.pending and again.failures == 0
