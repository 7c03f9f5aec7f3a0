"""What can be set about the scheduler."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from headrace_runtime.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """How the scheduler fires."""

    lease: timedelta = setting(
        timedelta(seconds=5),
        env="HEADRACE_TIMER_LEASE",
        help="How long a scheduler may hold a due timer before another takes it over.",
        minimum=timedelta(seconds=1),
        maximum=timedelta(minutes=5),
    )
    fire_timeout: timedelta = setting(
        timedelta(seconds=4),
        env="HEADRACE_TIMER_FIRE_TIMEOUT",
        help="How long the executor may take to record a batch of fires; less than the lease.",
        minimum=timedelta(milliseconds=100),
        maximum=timedelta(minutes=4),
    )
    batch: int = setting(
        500, env="HEADRACE_TIMER_BATCH", help="Timers that are fired in one call.", minimum=1, maximum=1000
    )
    lanes: int = setting(
        4, env="HEADRACE_TIMER_LANES", help="Calls to the executor that are under way at once.", minimum=1, maximum=64
    )
    poll: timedelta = setting(
        timedelta(seconds=1),
        env="HEADRACE_TIMER_POLL",
        help="How often the scheduler looks for timers that another one put or dropped.",
        minimum=timedelta(milliseconds=50),
        maximum=timedelta(minutes=1),
    )
    first_retry: timedelta = setting(
        timedelta(milliseconds=500),
        env="HEADRACE_TIMER_FIRST_RETRY",
        help="Pause after the executor did not record a fire; doubles with each further time.",
        minimum=timedelta(milliseconds=10),
    )
    longest_retry: timedelta = setting(
        timedelta(minutes=1),
        env="HEADRACE_TIMER_LONGEST_RETRY",
        help="Longest pause before a fire that the executor refused is tried again.",
        maximum=timedelta(hours=1),
    )
    longest_pause: timedelta = setting(
        timedelta(seconds=5),
        env="HEADRACE_TIMER_LONGEST_PAUSE",
        help="Longest pause between two calls while the executor is away.",
        maximum=timedelta(minutes=5),
    )
    look_every: timedelta = setting(
        timedelta(seconds=2),
        env="HEADRACE_SCHEDULER_LOOK_EVERY",
        help="How often the scheduler looks whether its store was lost or started again, and puts timers back.",
        minimum=timedelta(milliseconds=100),
        maximum=timedelta(minutes=1),
    )
    tidy_every: timedelta = setting(
        timedelta(minutes=1),
        env="HEADRACE_SCHEDULER_TIDY_EVERY",
        help="How often locks and quota calls that ran out are forgotten.",
        minimum=timedelta(seconds=1),
    )
    mutant: str = setting(
        "",
        env="HEADRACE_CHAOS_MUTANT",
        help="Breaks the product on purpose, for the chaos tests only: no_timer_fence or no_restore.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the scheduler runs as a process of its own."""

    listen: str = setting(
        "127.0.0.1:7102", env="HEADRACE_SCHEDULER_LISTEN", help="Address the scheduler answers gRPC at."
    )
    executor_address: str = setting(
        "127.0.0.1:7103", env="HEADRACE_EXECUTOR_ADDRESS", help="Address of the executor that fires go to."
    )
    data_directory: Path = setting(
        Path("data"), env="HEADRACE_DATA_DIR", help="Directory of the service's files; one process may use it."
    )
    redis_url: str = setting(
        "",
        env="HEADRACE_REDIS_URL",
        help="Redis that keeps timers, locks and quotas, as redis://user:password@host:6379/0; empty keeps them in the "
        "directory.",
        secret=True,
    )
    redis_namespace: str = setting(
        "headrace", env="HEADRACE_REDIS_NAMESPACE", help="Begin of the names of all keys: <namespace>.scheduler."
    )
