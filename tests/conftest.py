"""What tests of every room may ask for, and their order: long files begin first, so that none is left at the end."""

from pathlib import Path
from typing import Final

import pytest

pytest_plugins = ["tests.servers.fixtures"]

ROOT: Final = Path(__file__).resolve().parent
LONGEST: Final = (
    "ui/test_designer.py",
    "ui/test_backoffice.py",
    "api/test_tenants.py",
    "api/test_archives.py",
    "api/test_filters.py",
    "logging/test_elasticsearch_faults.py",
    "system/test_account_kills.py",
    "api/test_account_tokens.py",
    "logging/test_logstash.py",
    "chaos/test_r1.py",
    "appmixer_cli/test_components.py",
    "api/test_accounts.py",
    "appmixer_cli/test_flows.py",
    "api/test_schemathesis.py",
    "api/test_etags.py",
    "cli/test_connectors.py",
    "bench/test_benchmark.py",
    "api/test_no_drift.py",
    "runtime/test_rabbit_bus.py",
    "executor/test_runner_poison.py",
    "appmixer_cli/test_publishing.py",
    "system/test_cluster.py",
    "executor/test_node_poison.py",
    "flow_manager/test_publishing.py",
    "api/test_generated_client.py",
    "api/test_telemetry.py",
    "chaos/test_confinement.py",
)
"""What took longest, by `--durations`. A file that is not named comes after these, in its usual place."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {ROOT / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


def pytest_configure(config: pytest.Config) -> None:
    missing = [name for name in LONGEST if not (ROOT / name).is_file()]
    if missing:
        raise pytest.UsageError(f"tests/conftest.py names files that are not there: {', '.join(missing)}")
