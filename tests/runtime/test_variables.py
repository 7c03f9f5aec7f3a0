"""A variable that nobody reads is told once, with what was probably meant."""

import subprocess
import sys

import pytest
from headrace_runtime.variables import unread


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("HEADRACE_REDIS_URI", "HEADRACE_REDIS_URL"),
        ("HEADRACE_PROT", "HEADRACE_PORT"),
        ("HEADRACE_MONGODB_URL", "HEADRACE_MONGO_URL"),
        ("HEADRACE_RABBIT_URL", "HEADRACE_RABBITMQ_URL"),
        ("HEADRACE_REDIS_URL_FILES", "HEADRACE_REDIS_URL_FILE"),
        ("HEADRACE_PORT_FILE", "HEADRACE_PORT"),  # a file is for secrets
        ("HEADRACE_COLOUR_OF_THE_SKY", ""),
    ],
)
def test_what_looks_like_a_setting_is_told_with_the_nearest_one(given: str, meant: str) -> None:
    [found] = unread({given: "x", "PATH": "/bin", "HEADRACE_PORT": "1"})

    assert (found.name, found.nearest) == (given, meant)
    assert given in str(found) and (f"did you mean {meant}?" in str(found)) == bool(meant)


@pytest.mark.parametrize(
    "name",
    [
        "HEADRACE_REDIS_URL",
        "HEADRACE_REDIS_URL_FILE",
        "HEADRACE_TEST_REDIS_URL",
        "HEADRACE_SCHEDULER_SERVICE_HOST",
        "HEADRACE_SCHEDULER_SERVICE_PORT_GRPC",
        "HEADRACE_SCHEDULER_PORT",
        "HEADRACE_SCHEDULER_PORT_7102_TCP_ADDR",
        "headrace_port",
        "HEADRACES_PORT",
    ],
)
def test_what_is_known_or_not_ours_is_not_told(name: str) -> None:
    assert unread({name: "x"}) == []


def test_every_service_tells_at_its_start() -> None:
    script = """
from headrace_runtime import lifecycle

async def main(stack, stopping):
    pass

lifecycle.run_service("any", main)
"""
    environ = {"HEADRACE_REDIS_URI": "redis://:a-secret-of-mine@localhost", "PATH": "/usr/bin:/bin"}

    ended = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=30)

    [line] = ended.stderr.splitlines()
    assert ended.returncode == 0
    assert "HEADRACE_REDIS_URI" in line and "did you mean HEADRACE_REDIS_URL?" in line
    assert "a-secret-of-mine" not in line
