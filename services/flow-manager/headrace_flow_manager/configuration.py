"""What can be set about the flow manager."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from headrace_runtime.settings import setting

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowManagerSettings:
    """How people sign in, how much they may keep, and how often unfinished work is looked for."""

    token_lifetime: timedelta = setting(
        timedelta(days=30),
        env="HEADRACE_TOKEN_LIFETIME",
        help="How long a sign-in lasts.",
        minimum=timedelta(minutes=1),
        maximum=timedelta(days=3650),
    )
    tokens_per_user: int = setting(
        100,
        env="HEADRACE_TOKENS_PER_USER",
        help="Sign-ins a user has at once; older ones end.",
        minimum=1,
        maximum=1_000,
    )
    attempts_per_login: int = setting(
        10, env="HEADRACE_SIGN_IN_ATTEMPTS", help="Failed sign-ins for one name within the window.", minimum=1
    )
    attempts_per_address: int = setting(
        100,
        env="HEADRACE_SIGN_IN_ATTEMPTS_PER_ADDRESS",
        help="Failed sign-ins from one address within the window.",
        minimum=1,
    )
    attempts_window: timedelta = setting(
        timedelta(minutes=15),
        env="HEADRACE_SIGN_IN_WINDOW",
        help="How long failed sign-ins count.",
        minimum=timedelta(seconds=1),
    )
    reset_lifetime: timedelta = setting(
        timedelta(hours=1),
        env="HEADRACE_RESET_LIFETIME",
        help="How long a mailed code for a new password can be used.",
        minimum=timedelta(minutes=1),
        maximum=timedelta(days=7),
    )
    reset_url: str = setting(
        "",
        env="HEADRACE_RESET_URL",
        help="Page that takes a mailed code, with {code} in it; without it the mail shows the code alone.",
    )
    max_file_bytes: int = setting(
        100 * MEBIBYTE, env="HEADRACE_MAX_FILE_BYTES", help="How large a file may be.", minimum=1
    )
    upload_lifetime: timedelta = setting(
        timedelta(hours=24),
        env="HEADRACE_UPLOAD_LIFETIME",
        help="How long an unfinished upload waits for its rest.",
        minimum=timedelta(minutes=1),
    )
    request_memory: timedelta = setting(
        timedelta(days=35),
        env="HEADRACE_STORE_REQUEST_MEMORY",
        help="How long a repeated write to a data store is known again.",
        minimum=timedelta(hours=1),
    )
    reconcile_every: timedelta = setting(
        timedelta(seconds=15),
        env="HEADRACE_RECONCILE_EVERY",
        help="How often unfinished starts, stops and removals are looked for.",
        minimum=timedelta(seconds=1),
    )
    relay_every: timedelta = setting(
        timedelta(seconds=5),
        env="HEADRACE_STORE_RELAY_EVERY",
        help="How often undelivered changes of data stores are looked for.",
        minimum=timedelta(milliseconds=100),
    )
    npm: str = setting(
        "",
        env="HEADRACE_NPM",
        help="The npm that gets packages of published JavaScript; by default the one on the path.",
    )
    github_archives: str = setting(
        "https://codeload.github.com",
        env="HEADRACE_GITHUB_ARCHIVES",
        help="Where archives of repositories at GitHub come from that packages of published JavaScript name.",
    )
    data_key_lifetime: timedelta = setting(
        timedelta(days=90),
        env="HEADRACE_DATA_KEY_LIFETIME",
        help="How long a tenant's data key seals before a new one takes its place and seals everything again.",
        minimum=timedelta(minutes=1),
    )
    key_rotation_every: timedelta = setting(
        timedelta(seconds=30),
        env="HEADRACE_KEY_ROTATION_EVERY",
        help="How often keys of secrets are read again, and what older ones sealed is sealed again.",
        minimum=timedelta(milliseconds=100),
    )
    execution_timeout: timedelta = setting(
        timedelta(seconds=10),
        env="HEADRACE_EXECUTION_TIMEOUT",
        help="How long a call to the executor may take.",
        minimum=timedelta(milliseconds=100),
    )
    hooks_timeout: timedelta = setting(
        timedelta(seconds=90),
        env="HEADRACE_HOOKS_TIMEOUT",
        help="How long the executor may take to start or stop a flow, its hooks included.",
        minimum=timedelta(seconds=1),
    )
    mutant: str = setting(
        "",
        env="HEADRACE_CHAOS_MUTANT",
        help="Breaks the product on purpose, for the chaos tests only: any_state or no_reseal.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the flow manager runs as a process of its own, and whom it calls."""

    listen: str = setting(
        "127.0.0.1:7101", env="HEADRACE_FLOW_MANAGER_LISTEN", help="Address the flow manager answers gRPC at."
    )
    data_directory: Path = setting(
        Path("data"), env="HEADRACE_DATA_DIR", help="Directory of the service's files; one process may use it."
    )
    admin_email: str = setting(
        "admin@headrace.local", env="HEADRACE_ADMIN_EMAIL", help="Sign-in name of the first administrator."
    )
    admin_password: str = setting(
        "",
        env="HEADRACE_ADMIN_PASSWORD",
        help="Password of the first administrator; a service of its own makes none without it.",
        secret=True,
    )
    egress_allow_private: bool = setting(
        False, env="HEADRACE_EGRESS_ALLOW_PRIVATE", help="True lets webhooks call private and loopback addresses."
    )
    egress_networks: tuple[str, ...] = setting(
        (), env="HEADRACE_EGRESS_NETWORKS", help="Private networks that webhooks may call, for example 10.2.0.0/16."
    )
    executor_address: str = setting("127.0.0.1:7103", env="HEADRACE_EXECUTOR_ADDRESS", help="Address of the executor.")
    logging_address: str = setting("127.0.0.1:7105", env="HEADRACE_LOGGING_ADDRESS", help="Address of the log service.")
