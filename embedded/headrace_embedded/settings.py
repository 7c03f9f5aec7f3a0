"""What a first start of the embedded platform would otherwise choose or generate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headrace_runtime.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """Each is one environment variable."""

    data_dir: Path = setting(
        Path("data"), env="HEADRACE_DATA_DIR", help="Directory of everything the platform keeps; one process at a time."
    )
    admin_email: str = setting(
        "admin@headrace.local", env="HEADRACE_ADMIN_EMAIL", help="Sign-in name of the first administrator."
    )
    admin_password: str = setting(
        "",
        env="HEADRACE_ADMIN_PASSWORD",
        help="Password of the first administrator; empty generates one and prints it once.",
        secret=True,
    )
    shared_data: bool = setting(
        False,
        env="HEADRACE_CHAOS_SHARED_DATA",
        help="For the chaos tests only: lets a second process open the same data directory.",
    )
