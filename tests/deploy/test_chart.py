"""What of the chart can be held without helm; `make chart` holds the rest."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.executor.platform import HandedFlows, platform

from . import known, manifests
from .chart import CHART, FULL
from .compose import ROOT, SERVICES

TEMPLATES = "\n".join(path.read_text() for path in sorted(CHART.glob("templates/**/*")) if path.is_file())


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load((CHART / name).read_text())
    return found


def test_its_version_is_the_projects() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert loaded("Chart.yaml")["version"] == loaded("Chart.yaml")["appVersion"] == version


def test_every_variable_in_the_templates_is_a_setting() -> None:
    named = set(re.findall(r"\bHEADRACE_[A-Z_]+[A-Z]\b(?!_)", TEMPLATES)) - {"HEADRACE"}

    assert named
    assert not named - set(known.settings())


async def test_executors_are_scaled_by_a_metric_that_they_serve(tmp_path: Path) -> None:
    named = set(re.findall(r"headrace_executor_[a-z_]*seconds", TEMPLATES))

    async with platform(tmp_path, HandedFlows()) as executor:
        served = await executor.metrics.text()

    assert named
    assert all(re.search(rf"^{name} ", served, re.MULTILINE) for name in named)


def test_it_runs_the_five_services_where_they_listen() -> None:
    text = re.search(r'define "headrace.services" -}}\n(.*?){{- end', TEMPLATES, re.DOTALL)
    assert text is not None
    services = YAML(typ="safe", pure=True).load(text[1])

    assert set(services) == set(SERVICES)
    listening = {name: each["port"] for name, each in services.items()}
    assert {**listening, "gateways": 7104} == manifests.PORTS and "0.0.0.0:7104" in TEMPLATES
    assert {each["key"] for each in services.values()} <= set(loaded("values.yaml"))


def test_every_value_in_the_templates_has_a_default_and_a_schema() -> None:
    values, schema = loaded("values.yaml"), json.loads((CHART / "values.schema.json").read_text())

    for path in set(re.findall(r"\.Values\.([A-Za-z]+(?:\.[A-Za-z]+)*)", TEMPLATES)):
        found: Any = values
        described: Any = schema
        for part in path.split("."):
            found, described = found[part], described["properties"][part]


@pytest.mark.parametrize("path", [CHART / "values.yaml", FULL], ids=lambda path: path.name)
def test_the_schema_takes_the_values(path: Any) -> None:
    jsonschema.validate(loaded(str(path.relative_to(CHART))), json.loads((CHART / "values.schema.json").read_text()))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("logs.indexing", "nobody"),
        ("executor.replicas", 0),
        ("gateway.replica", 2),
        ("redis.secret", ""),
        ("executor.env", {"lower": "1"}),
        ("publicUrl", "flows.example.com"),
    ],
)
def test_the_schema_refuses_what_cannot_run(path: str, wrong: Any) -> None:
    values = copy.deepcopy(loaded("values.yaml"))
    *outer, last = path.split(".")
    place = values
    for part in outer:
        place = place[part]
    place[last] = wrong

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, json.loads((CHART / "values.schema.json").read_text()))


def test_extra_settings_of_the_example_are_read_by_their_service() -> None:
    keys = {"gateway": "gateway", "flowManager": "flow-manager", "executor": "executor"}
    for key, service in keys.items():
        assert not known.unread(service, loaded("ci/full-values.yaml").get(key, {}).get("env", {}))
