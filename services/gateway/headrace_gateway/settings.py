"""What an operator may set about the gateway."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from headrace_runtime.settings import setting

SignUp = Literal["open", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Settings of the gateway; each has an environment variable of its own."""

    host: str = setting("127.0.0.1", env="HEADRACE_HOST", help="Address the HTTP server listens on.")
    port: int = setting(
        2200, env="HEADRACE_PORT", help="Port the HTTP server listens on; 0 takes a free one.", minimum=0, maximum=65535
    )
    public_url: str = setting(
        "", env="HEADRACE_PUBLIC_URL", help="URL under which callers reach the gateway; empty takes the request's own."
    )
    ui_dir: str = setting(
        "",
        env="HEADRACE_UI_DIR",
        help="Folder of the built user interface; empty takes the one of the wheel, or ui/dist of a checkout.",
    )
    sign_up: SignUp = setting(
        "closed", env="HEADRACE_SIGN_UP", help="open lets anybody make a user; closed leaves it to administrators."
    )
    cors_origins: tuple[str, ...] = setting(
        (), env="HEADRACE_CORS_ORIGINS", help="Origins whose pages may call the API, exact and separated by commas."
    )
    metrics_public: bool = setting(
        False, env="HEADRACE_METRICS_PUBLIC", help="True serves /metrics without an administrator's token."
    )
    rpc_timeout: timedelta = setting(
        timedelta(seconds=10), env="HEADRACE_RPC_TIMEOUT", help="How long a call to another service may take."
    )
    webhook_timeout: timedelta = setting(
        timedelta(seconds=10),
        env="WEBHOOK_REQUEST_TIMEOUT",
        help="How long a webhook's caller waits for the flow's answer before it gets 202.",
    )
    call_timeout: timedelta = setting(
        timedelta(seconds=30),
        env="HEADRACE_CALL_TIMEOUT",
        help="How long one call of a component outside of flows may take, at most two minutes.",
    )
    accept_timeout: timedelta = setting(
        timedelta(seconds=5), env="HEADRACE_ACCEPT_TIMEOUT", help="How long the acceptance of an event may take."
    )
    body_timeout: timedelta = setting(
        timedelta(seconds=20), env="HEADRACE_BODY_TIMEOUT", help="How long the body of a request may take to arrive."
    )
    webhook_bytes: int = setting(
        1_048_576, env="LIMIT_WEBHOOK_BYTES", help="Longest body of a webhook, in bytes.", minimum=1024
    )
    flow_bytes: int = setting(
        2_097_152, env="LIMIT_FLOW_UPDATE_BYTES", help="Longest flow that may be saved, in bytes.", minimum=1024
    )
    body_bytes: int = setting(
        1_114_112, env="HEADRACE_LIMIT_BODY_BYTES", help="Longest body of any other request, in bytes.", minimum=1024
    )
    upload_bytes: int = setting(
        16_777_216, env="HEADRACE_LIMIT_UPLOAD_BYTES", help="Longest upload request, in bytes.", minimum=1024
    )
    import_bytes: int = setting(
        268_435_456,
        env="HEADRACE_LIMIT_IMPORT_BYTES",
        help="Longest archive that may be imported, in bytes; it waits in the directory for temporary files.",
        minimum=1024,
        maximum=4_294_967_295,
    )
    live_streams: int = setting(
        500, env="HEADRACE_LIVE_STREAMS", help="Live streams that one gateway serves at a time.", minimum=1
    )
    live_streams_per_user: int = setting(
        10, env="HEADRACE_LIVE_STREAMS_PER_USER", help="Live streams of one user at a time.", minimum=1
    )
    drain_delay: timedelta = setting(
        timedelta(seconds=2),
        env="HEADRACE_DRAIN_DELAY",
        help="How long the gateway says it is not ready before it stops listening.",
    )
    drain_timeout: timedelta = setting(
        timedelta(seconds=20), env="HEADRACE_DRAIN_TIMEOUT", help="How long requests under way may take to end."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the services behind the gateway answer, and the other gateways."""

    flow_manager: str = setting(
        "127.0.0.1:7101", env="HEADRACE_FLOW_MANAGER_ADDRESS", help="Address of the flow-manager."
    )
    scheduler: str = setting("127.0.0.1:7102", env="HEADRACE_SCHEDULER_ADDRESS", help="Address of the scheduler.")
    executor: str = setting("127.0.0.1:7103", env="HEADRACE_EXECUTOR_ADDRESS", help="Address of the executor.")
    logging: str = setting("127.0.0.1:7105", env="HEADRACE_LOGGING_ADDRESS", help="Address of the log service.")
    gateways: str = setting(
        "",
        env="HEADRACE_GATEWAY_ADDRESS",
        help="Address of all gateways for calls between services, by which each finds the others; empty for one alone.",
    )
    listen: str = setting(
        "",
        env="HEADRACE_GATEWAY_LISTEN",
        help="Address this gateway answers the other gateways at, over gRPC; empty where there are none.",
    )
