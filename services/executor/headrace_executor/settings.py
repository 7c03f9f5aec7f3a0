"""What an administrator may set of the executor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from headrace_runtime.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSettings:
    """Each is one environment variable."""

    public_url: str = setting(
        "http://127.0.0.1:2200", env="HEADRACE_PUBLIC_URL", help="Address under which callers reach the gateway."
    )
    workers: int = setting(
        256, env="HEADRACE_EXECUTOR_WORKERS", help="Runs on their way at the same time.", minimum=1, maximum=10_000
    )
    backlog: int = setting(
        4_000,
        env="HEADRACE_EXECUTOR_BACKLOG",
        help="Accepted runs that wait in memory for a worker; more wait in the store.",
        minimum=1,
        maximum=100_000,
    )
    lease: timedelta = setting(
        timedelta(seconds=15),
        env="HEADRACE_EXECUTOR_LEASE",
        help="How long an executor that says nothing keeps its runs.",
    )
    receive_timeout: timedelta = setting(
        timedelta(milliseconds=1_380_000),
        env="HEADRACE_RECEIVE_TIMEOUT",
        help="How long one call of a component may take.",
    )
    retry_first: timedelta = setting(
        timedelta(seconds=60), env="HEADRACE_RETRY_FIRST", help="Delay before the first retry; it doubles each time."
    )
    retry_longest: timedelta = setting(
        timedelta(hours=1), env="HEADRACE_RETRY_LONGEST", help="Longest delay between retries."
    )
    retry_count: int = setting(
        30, env="HEADRACE_RETRY_COUNT", help="Retries before a message goes to the unprocessed messages.", minimum=0
    )
    tick_every: timedelta = setting(
        timedelta(seconds=60), env="HEADRACE_TICK_EVERY", help="How often components that poll are asked for news."
    )
    hook_within: timedelta = setting(
        timedelta(seconds=60), env="HEADRACE_HOOK_WITHIN", help="How long start and stop hooks of a flow may take."
    )
    retention: timedelta = setting(
        timedelta(days=7),
        env="HEADRACE_RUN_RETENTION",
        help="How long ended runs are kept; an event id is remembered as long.",
    )
    drain_within: timedelta = setting(
        timedelta(seconds=20), env="HEADRACE_DRAIN_WITHIN", help="How long runs may go on while the process stops."
    )
    egress_allow_private: bool = setting(
        False, env="HEADRACE_EGRESS_ALLOW_PRIVATE", help="True lets flows call private and loopback addresses."
    )
    egress_networks: tuple[str, ...] = setting(
        (), env="HEADRACE_EGRESS_NETWORKS", help="Private networks that flows may call, for example 10.2.0.0/16."
    )
    mutant: str = setting(
        "",
        env="HEADRACE_CHAOS_MUTANT",
        help="Breaks the product on purpose, for the chaos tests only: answer_before_commit or no_fence.",
    )
