"""All variables of the environment that some process of Headrace reads, and what is said of one that none reads.

A process knows its own settings only, and several get one environment: so the names stand here, and a test holds the
table to the settings.
"""

import difflib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "HEADRACE_"

PLAIN = frozenset(
    {
        "HEADRACE_ACCEPT_TIMEOUT",
        "HEADRACE_CALL_TIMEOUT",
        "HEADRACE_ADMIN_EMAIL",
        "HEADRACE_BODY_TIMEOUT",
        "HEADRACE_BUNDLE_CACHE_BYTES",
        "HEADRACE_BUNDLE_DIR",
        "HEADRACE_CHAOS_MUTANT",
        "HEADRACE_CHAOS_SHARED_DATA",
        "HEADRACE_CORS_ORIGINS",
        "HEADRACE_DATA_DIR",
        "HEADRACE_DATA_KEY_LIFETIME",
        "HEADRACE_DRAIN_DELAY",
        "HEADRACE_DRAIN_TIMEOUT",
        "HEADRACE_DRAIN_WITHIN",
        "HEADRACE_EGRESS_ALLOW_PRIVATE",
        "HEADRACE_EGRESS_NETWORKS",
        "HEADRACE_ELASTICSEARCH_CA",
        "HEADRACE_ELASTICSEARCH_PREFIX",
        "HEADRACE_ELASTICSEARCH_REPLICAS",
        "HEADRACE_ELASTICSEARCH_SHARDS",
        "HEADRACE_EXECUTION_TIMEOUT",
        "HEADRACE_EXECUTOR_ADDRESS",
        "HEADRACE_EXECUTOR_BACKLOG",
        "HEADRACE_EXECUTOR_LEASE",
        "HEADRACE_EXECUTOR_LISTEN",
        "HEADRACE_EXECUTOR_NAME",
        "HEADRACE_EXECUTOR_WORKERS",
        "HEADRACE_FAILPOINTS",
        "HEADRACE_FLOW_MANAGER_ADDRESS",
        "HEADRACE_FLOW_MANAGER_LISTEN",
        "HEADRACE_GATEWAY_ADDRESS",
        "HEADRACE_GATEWAY_LISTEN",
        "HEADRACE_GITHUB_ARCHIVES",
        "HEADRACE_HOOKS_TIMEOUT",
        "HEADRACE_HOOK_WITHIN",
        "HEADRACE_HOST",
        "HEADRACE_KEY_ROTATION_EVERY",
        "HEADRACE_KMS_CA",
        "HEADRACE_KMS_KEY",
        "HEADRACE_KMS_NAMESPACE",
        "HEADRACE_KMS_TIMEOUT",
        "HEADRACE_KMS_URL",
        "HEADRACE_LIMIT_BODY_BYTES",
        "HEADRACE_LIMIT_IMPORT_BYTES",
        "HEADRACE_LIMIT_UPLOAD_BYTES",
        "HEADRACE_LIVE_STREAMS",
        "HEADRACE_LIVE_STREAMS_PER_USER",
        "HEADRACE_LOGGING_ADDRESS",
        "HEADRACE_LOGGING_LISTEN",
        "HEADRACE_LOG_INDEXING",
        "HEADRACE_LOG_MAX_BYTES",
        "HEADRACE_LOG_MAX_TAILS",
        "HEADRACE_LOG_QUERY_TIMEOUT",
        "HEADRACE_LOG_RETENTION",
        "HEADRACE_LOG_TAIL_QUEUE",
        "HEADRACE_LOG_TRIM_EVERY",
        "HEADRACE_MAIL_FROM",
        "HEADRACE_MAX_FILE_BYTES",
        "HEADRACE_METRICS_LISTEN",
        "HEADRACE_METRICS_PUBLIC",
        "HEADRACE_MONGO_NAMESPACE",
        "HEADRACE_NODE",
        "HEADRACE_NPM",
        "HEADRACE_PORT",
        "HEADRACE_PROFILE",
        "HEADRACE_PUBLIC_URL",
        "HEADRACE_RABBITMQ_CAPACITY",
        "HEADRACE_RABBITMQ_NAMESPACE",
        "HEADRACE_RECEIVE_TIMEOUT",
        "HEADRACE_RECONCILE_EVERY",
        "HEADRACE_REDIS_NAMESPACE",
        "HEADRACE_RESET_LIFETIME",
        "HEADRACE_RESET_URL",
        "HEADRACE_RETRY_COUNT",
        "HEADRACE_RETRY_FIRST",
        "HEADRACE_RETRY_LONGEST",
        "HEADRACE_RPC_ADDRESS",
        "HEADRACE_RPC_CA",
        "HEADRACE_RPC_CERT",
        "HEADRACE_RPC_KEY",
        "HEADRACE_RPC_REFLECTION",
        "HEADRACE_RPC_TIMEOUT",
        "HEADRACE_RUNNERS",
        "HEADRACE_RUNNER_CALLS",
        "HEADRACE_RUNNER_CANCEL_WITHIN",
        "HEADRACE_RUNNER_CPU",
        "HEADRACE_RUNNER_FILE_BYTES",
        "HEADRACE_RUNNER_FOLDERS",
        "HEADRACE_RUNNER_HOSTS",
        "HEADRACE_RUNNER_HANG_AFTER",
        "HEADRACE_RUNNER_IDLE",
        "HEADRACE_RUNNER_ISOLATION",
        "HEADRACE_RUNNER_MEMORY_BYTES",
        "HEADRACE_RUNNER_OPEN_FILES",
        "HEADRACE_RUNNER_OUTPUT_BYTES",
        "HEADRACE_RUNNER_START_WITHIN",
        "HEADRACE_RUN_RETENTION",
        "HEADRACE_SCHEDULER_ADDRESS",
        "HEADRACE_SCHEDULER_LISTEN",
        "HEADRACE_SCHEDULER_LOOK_EVERY",
        "HEADRACE_SCHEDULER_TIDY_EVERY",
        "HEADRACE_SIGN_IN_ATTEMPTS",
        "HEADRACE_SIGN_IN_ATTEMPTS_PER_ADDRESS",
        "HEADRACE_SIGN_IN_WINDOW",
        "HEADRACE_SIGN_UP",
        "HEADRACE_STORE_RELAY_EVERY",
        "HEADRACE_STORE_REQUEST_MEMORY",
        "HEADRACE_TICK_EVERY",
        "HEADRACE_TIMER_BATCH",
        "HEADRACE_TIMER_FIRE_TIMEOUT",
        "HEADRACE_TIMER_FIRST_RETRY",
        "HEADRACE_TIMER_LANES",
        "HEADRACE_TIMER_LEASE",
        "HEADRACE_TIMER_LONGEST_PAUSE",
        "HEADRACE_TIMER_LONGEST_RETRY",
        "HEADRACE_TIMER_POLL",
        "HEADRACE_TOKEN",
        "HEADRACE_TOKENS_PER_USER",
        "HEADRACE_TOKEN_LIFETIME",
        "HEADRACE_UI_DIR",
        "HEADRACE_UPLOAD_LIFETIME",
        "HEADRACE_URL",
    }
)

SECRETS = frozenset(
    {
        "HEADRACE_ADMIN_PASSWORD",
        "HEADRACE_ELASTICSEARCH_API_KEY",
        "HEADRACE_ELASTICSEARCH_URL",
        "HEADRACE_KMS_TOKEN",
        "HEADRACE_MONGO_URL",
        "HEADRACE_RABBITMQ_URL",
        "HEADRACE_REDIS_URL",
        "HEADRACE_SMTP_URL",
        "HEADRACE_VAULT_KEYS",
    }
)
"""Each may also come from the file that `<NAME>_FILE` points at."""

KNOWN = PLAIN | SECRETS | {f"{name}_FILE" for name in SECRETS}

_OF_TESTS = ("HEADRACE_TEST_", "HEADRACE_CHAOS_", "HEADRACE_BENCH_")
_OF_KUBERNETES = re.compile(r"_(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP|SCTP).*)?)$")
"""What Kubernetes puts into every container for a service whose name begins with `headrace-`."""

_NEAR = 0.75

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unread:
    """A variable that looks like ours and that nobody reads."""

    name: str
    nearest: str
    """The known name that is most like it; "" when none is."""

    def __str__(self) -> str:
        hint = f"did you mean {self.nearest}?" if self.nearest else "see docs/reference/settings.md for all there are."
        return f"Nobody reads the variable {self.name}: {hint}"


def unread(environ: Mapping[str, str]) -> list[Unread]:
    """The variables that begin like ours and are none, by name."""
    return [Unread(name, _nearest(name)) for name in sorted(environ) if _is_strange(name)]


def warn_of_unread(environ: Mapping[str, str]) -> None:
    """Write a warning for each."""
    for each in unread(environ):
        _log.warning("%s", each)


def _is_strange(name: str) -> bool:
    is_ours = name.startswith(PREFIX) and name not in KNOWN
    return is_ours and not name.startswith(_OF_TESTS) and not _OF_KUBERNETES.search(name)


def _nearest(name: str) -> str:
    plain = name.removesuffix("_FILE")
    if plain in KNOWN:
        return plain  # only secrets come from files
    return next(iter(difflib.get_close_matches(name, KNOWN, 1, _NEAR)), "")
