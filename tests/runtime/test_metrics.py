"""What metrics promise."""

import asyncio
from contextlib import suppress

import pytest
from headrace_core.clock import TestClock
from headrace_runtime.metrics import MAX_SERIES, Metrics, watch_loop_lag


def test_everything_is_rendered_as_prometheus_reads_it() -> None:
    metrics = Metrics()
    metrics.counter("runs_total", "Runs.", ("outcome",)).inc(2, outcome='go"od\n')
    metrics.gauge("open_files", "Files.").set(1.5)
    spread = metrics.histogram("took_seconds", "Time.", buckets=(0.1, 1))
    for value in (0.05, 0.1, 0.5, 3):
        spread.observe(value)

    assert metrics.render() == (
        "# HELP runs_total Runs.\n"
        "# TYPE runs_total counter\n"
        'runs_total{outcome="go\\"od\\n"} 2\n'
        "# HELP open_files Files.\n"
        "# TYPE open_files gauge\n"
        "open_files 1.5\n"
        "# HELP took_seconds Time.\n"
        "# TYPE took_seconds histogram\n"
        'took_seconds_bucket{le="0.1"} 2\n'
        'took_seconds_bucket{le="1"} 3\n'
        'took_seconds_bucket{le="+Inf"} 4\n'
        "took_seconds_sum 3.65\n"
        "took_seconds_count 4\n"
    )


def test_a_name_is_one_metric_of_one_kind() -> None:
    metrics = Metrics()

    assert metrics.counter("a_total", "A.") is metrics.counter("a_total", "A.")
    with pytest.raises(ValueError, match="is a counter already"):
        metrics.gauge("a_total", "A.")


def test_what_others_count_is_read_when_it_is_shown_and_summed_up_under_one_name() -> None:
    metrics, commands, sent = Metrics(), {"find": 1}, [5.0]
    metrics.follow("commands_total", "Commands.", lambda: commands, label="command")
    metrics.follow("commands_total", "Commands.", lambda: {"find": 10}, label="command")
    metrics.follow("sent", "Sent.", lambda: sent[0], kind="gauge")
    commands["insert"] = 2
    sent[0] = 6

    for _ in range(2):
        assert metrics.render() == (
            "# HELP commands_total Commands.\n"
            "# TYPE commands_total counter\n"
            'commands_total{command="find"} 11\n'
            'commands_total{command="insert"} 2\n'
            "# HELP sent Sent.\n"
            "# TYPE sent gauge\n"
            "sent 6\n"
        )


def test_what_makes_no_sense_is_refused() -> None:
    metrics = Metrics()

    with pytest.raises(ValueError, match="does not go back"):
        metrics.counter("a_total", "A.").inc(-1)
    with pytest.raises(ValueError, match="has the labels"):
        metrics.counter("b_total", "B.", ("kind",)).inc()
    with pytest.raises(ValueError, match="no name"):
        metrics.gauge("Not a name", "C.")
    with pytest.raises(ValueError, match="have to grow"):
        metrics.histogram("d_seconds", "D.", buckets=(2, 1))


def test_labels_cannot_grow_without_bound() -> None:
    counter = Metrics().counter("a_total", "A.", ("user",))

    for number in range(MAX_SERIES + 50):
        counter.inc(user=str(number))

    assert len(counter.lines()) == 2 + MAX_SERIES + 1
    assert counter.value(user="other") == 50


async def test_loop_lag_is_how_late_a_sleeper_wakes() -> None:
    metrics, clock = Metrics(), TestClock()
    watching = asyncio.create_task(watch_loop_lag(metrics, clock))
    await clock.elapse(0)

    clock.advance(0.75)
    await clock.elapse(0)

    assert metrics.gauge("headrace_loop_lag_seconds", "").value() == pytest.approx(0.5)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
