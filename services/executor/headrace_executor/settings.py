"""What an administrator may set of the executor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from headrace_runtime.settings import setting

MIB = 1024 * 1024


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
        help="Breaks the product on purpose, for the chaos tests only: answer_before_commit, no_fence, no_suspects,"
        " open_files, open_network, any_host, open_door, no_redaction, hoard or one_queue.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """What the processes that host published components may take. Each is one environment variable."""

    bundle_folder: Path | None = setting(
        None,
        env="HEADRACE_BUNDLE_DIR",
        help="Directory where this process alone keeps bundles of published components; a temporary one by default.",
    )
    bundle_bytes: int = setting(
        1024 * MIB,
        env="HEADRACE_BUNDLE_CACHE_BYTES",
        help="How much of them is kept; those unused for longest go first.",
        minimum=MIB,
    )
    node: str = setting(
        "",
        env="HEADRACE_NODE",
        help="The Node.js binary, 20 or newer, that runs components in JavaScript; by default the one on the path.",
    )
    isolation: Literal["warn", "refuse"] = setting(
        "warn",
        env="HEADRACE_RUNNER_ISOLATION",
        help="Where the kernel cannot confine published components: warn and run them, or refuse to.",
    )
    folders: tuple[str, ...] = setting(
        (),
        env="HEADRACE_RUNNER_FOLDERS",
        help="Folders of the host that published components may read and write; none by default.",
    )
    hosts: tuple[str, ...] = setting(
        (),
        env="HEADRACE_RUNNER_HOSTS",
        help="What published components may call whose bundle declares no hosts; any public address by default.",
    )
    most: int = setting(
        16,
        env="HEADRACE_RUNNERS",
        help="Processes that host published components at the same time; each hosts one bundle for one tenant.",
        minimum=1,
        maximum=1_000,
    )
    calls: int = setting(
        64, env="HEADRACE_RUNNER_CALLS", help="Calls at the same time in one of them.", minimum=1, maximum=1_000
    )
    start_within: timedelta = setting(
        timedelta(seconds=30),
        env="HEADRACE_RUNNER_START_WITHIN",
        help="How long a step waits for a process to start, or for a free place.",
    )
    idle: timedelta = setting(
        timedelta(minutes=5), env="HEADRACE_RUNNER_IDLE", help="How long a process that nobody needs is kept warm."
    )
    hang_after: timedelta = setting(
        timedelta(seconds=30),
        env="HEADRACE_RUNNER_HANG_AFTER",
        help="A process that is busy without a pause for this long is ended; its steps are tried again.",
    )
    cancel_within: timedelta = setting(
        timedelta(seconds=5),
        env="HEADRACE_RUNNER_CANCEL_WITHIN",
        help="How long a component may go on after its call was cancelled; then its process is ended.",
    )
    memory_bytes: int = setting(
        512 * MIB, env="HEADRACE_RUNNER_MEMORY_BYTES", help="Memory for the components of one process.", minimum=MIB
    )
    cpu: timedelta = setting(
        timedelta(hours=1),
        env="HEADRACE_RUNNER_CPU",
        help="Processor time that one process gets; it is replaced before that is used up.",
    )
    open_files: int = setting(
        256, env="HEADRACE_RUNNER_OPEN_FILES", help="Files and connections that one process may open.", minimum=64
    )
    file_bytes: int = setting(
        256 * MIB,
        env="HEADRACE_RUNNER_FILE_BYTES",
        help="Size of a temporary file that a component may write.",
        minimum=MIB,
    )
    output_bytes: int = setting(
        256 * 1024,
        env="HEADRACE_RUNNER_OUTPUT_BYTES",
        help="What components of one process may print in ten seconds; the rest is left out.",
        minimum=1024,
    )
