"""What is read from the metrics of the services."""

from __future__ import annotations

from bench.operations import BATCHES, BROKER, CALLS, MONGO, REDIS, counted, since

EXECUTOR = """# HELP headrace_mongo_commands_total Commands.
# TYPE headrace_mongo_commands_total counter
headrace_mongo_commands_total{command="insert"} 7
headrace_mongo_commands_total{command="update"} 5
headrace_bus_messages_total 2
headrace_bus_unheard_total 1
headrace_rpc_calls_total{method="headrace.execution.v1.ExecutionService/Accept",outcome="ok"} 3
headrace_rpc_calls_total{method="headrace.execution.v1.ExecutionService/GetRun",outcome="ok"} 4
headrace_executor_accepted_total 90
"""
SCHEDULER = "headrace_redis_calls_total 11\n"
GATEWAY = "headrace_gateway_batches_total 3\n"


def test_operations_are_summed_up_over_commands_and_processes() -> None:
    found = counted([EXECUTOR, EXECUTOR, SCHEDULER, GATEWAY])

    assert found[MONGO] == 24
    assert found[BROKER] == 6
    assert found[REDIS] == 11
    assert found[CALLS] == 14
    assert found[BATCHES] == 3


def test_what_came_in_between_is_the_difference() -> None:
    between = since(counted([EXECUTOR]), counted([EXECUTOR, SCHEDULER]))

    assert between[REDIS] == 11
    assert between[MONGO] == 0


def test_a_peer_that_does_not_tell_has_none() -> None:
    assert since({}, {}) == {}
