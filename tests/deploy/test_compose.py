"""compose.yaml and the image say what is true of the services: commands, settings, health checks, secrets, limits."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from headrace_runtime import probe
from headrace_runtime.settings import _span
from yarl import URL

from tests.system.process import wait_for
from tests.system.services import free_ports

from . import compose, known
from .compose import ROOT, SERVICES

BACKING = ("mongo", "rabbitmq", "redis", "elasticsearch", "logstash")
DRAIN_SECONDS = 35


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make secrets` generates."""
    folder = tmp_path_factory.mktemp("secrets")
    subprocess.run([ROOT / "deploy" / "make-secrets", folder], check=True, capture_output=True)
    return folder


class Containers:
    """The five services as compose.yaml starts them, on ports and addresses of this machine."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        *ports, self.metrics_port = free_ports(len(SERVICES) + 1)
        self.ports = dict(zip(SERVICES, ports, strict=True))
        self.given = environ
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def environ(self, name: str) -> dict[str, str]:
        """As in the file, with hosts of this machine and files in place of servers."""
        there = {
            key: self._here(value) for key, value in compose.environment(name).items() if not key.endswith("_FILE")
        }
        outside = {key: value for key, value in os.environ.items() if not key.startswith("HEADRACE_")}
        port = {"HEADRACE_PORT": str(self.ports["gateway"])} if name == "gateway" else {}
        if "HEADRACE_METRICS_LISTEN" in there:
            port["HEADRACE_METRICS_LISTEN"] = f"127.0.0.1:{self.metrics_port}"
        identity = {key: value.format(name) for key, value in self.given.items()}
        return {**outside, **there, **port, **identity, "HEADRACE_DATA_DIR": str(self.folder / name)}

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(
                compose.command(name), env=self.environ(name), stdout=log, stderr=log
            )

    def check(self, name: str) -> int:
        """The status of the container's health check."""
        checked = subprocess.run(
            compose.health_check(name), env=self.environ(name), capture_output=True, text=True, timeout=30
        )
        assert "Traceback" not in checked.stderr, checked.stderr
        return checked.returncode

    def kill(self, name: str) -> None:
        child = self.children.pop(name)
        child.kill()
        child.wait(10)

    def stop(self) -> list[int]:
        for child in self.children.values():
            child.terminate()
        return [child.wait(DRAIN_SECONDS) for child in self.children.values()]

    def end(self) -> None:
        for name in list(self.children):
            self.kill(name)

    def _here(self, value: str) -> str:
        for name, port in self.ports.items():
            value = re.sub(rf"^dns:///{name}:\d+$", f"127.0.0.1:{port}", value)
        variables = {variable: name for name, (variable, _) in probe.LISTENING.items()}
        for variable, name in variables.items():
            if compose.environment(name).get(variable) == value:
                return f"127.0.0.1:{self.ports[name]}"
        return value.replace("0.0.0.0", "127.0.0.1")


@contextlib.contextmanager
def started(folder: Path, **environ: str) -> Iterator[Containers]:
    containers = Containers(folder, **environ)
    try:
        for name in SERVICES:
            containers.start(name)
        for name in SERVICES:
            wait_for(lambda name=name: containers.check(name) == 0, 90)
        yield containers
    finally:
        containers.end()


@pytest.mark.system
@pytest.mark.timeout(240)
def test_every_command_starts_its_service_and_its_health_check_says_so(tmp_path: Path) -> None:
    nobody = Containers(tmp_path)
    assert {nobody.check(name) for name in SERVICES} == {1}

    with started(tmp_path) as containers:
        metrics = httpx.get(f"http://127.0.0.1:{containers.metrics_port}/metrics", trust_env=False).text
        assert "headrace_executor_ready_age_seconds 0\n" in metrics

        containers.kill("executor")
        wait_for(lambda: containers.check("executor") == 1, 30)
        wait_for(lambda: containers.check("gateway") == 1, 30)  # events have nobody to take them

        assert containers.check("scheduler") == 0
        assert set(containers.stop()) == {0}


@pytest.mark.system
@pytest.mark.timeout(240)
def test_with_the_certificates_of_make_secrets_they_call_and_probe_each_other(tmp_path: Path, secrets: Path) -> None:
    identity = {
        "HEADRACE_RPC_CA": f"{secrets}/tls/ca.pem",
        "HEADRACE_RPC_CERT": f"{secrets}/tls/{{}}.pem",
        "HEADRACE_RPC_KEY": f"{secrets}/tls/{{}}.key",
    }
    with started(tmp_path, **identity) as containers:
        del containers.given["HEADRACE_RPC_CA"], containers.given["HEADRACE_RPC_CERT"]
        del containers.given["HEADRACE_RPC_KEY"]

        assert containers.check("executor") == 1, "it answers whoever shows no certificate"


def test_the_probe_names_its_services_and_their_own_addresses() -> None:
    settings = known.settings()

    assert {name: settings[variable].default for name, (variable, _) in probe.LISTENING.items()} == {
        name: default for name, (_, default) in probe.LISTENING.items()
    }
    assert probe.main([]) == 2
    assert probe.main(["postgres"]) == 2


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_of_a_service_is_a_setting_that_it_reads(name: str) -> None:
    assert not known.unread(name, compose.environment(name))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_as_nobody_writes_nowhere_and_may_end_in_peace(name: str) -> None:
    service = compose.service(name)

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert _span(service["stop_grace_period"]).total_seconds() >= DRAIN_SECONDS
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert {each["condition"] for each in service["depends_on"].values()} == {"service_healthy"}


def test_only_the_gateway_is_published_and_servers_reach_nobody_outside() -> None:
    services = compose.read()["services"]

    assert {name for name, service in services.items() if "ports" in service} == {"gateway"}
    assert {name for name, service in services.items() if "outside" in service["networks"]} == {"gateway", "executor"}
    assert compose.read()["networks"]["inside"] == {"internal": True}
    assert set(services) == {*SERVICES, *BACKING}


def test_every_service_can_be_scaled_and_is_called_by_the_name_of_all_its_replicas() -> None:
    for name in SERVICES:
        assert "container_name" not in compose.service(name)
        for key, value in compose.environment(name).items():
            if key.endswith("_ADDRESS"):
                service = key.removeprefix("HEADRACE_").removesuffix("_ADDRESS").lower().replace("_", "-")
                port = compose.environment(service)[key.replace("_ADDRESS", "_LISTEN")].rpartition(":")[2]
                assert value == f"dns:///{service}:{port}"


def test_every_server_says_whether_it_serves_and_keeps_its_data_in_a_volume() -> None:
    volumes = compose.read()["volumes"]
    for name in BACKING:
        service = compose.service(name)
        assert service["healthcheck"]["test"]
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
        assert any(str(volume).partition(":")[0] in volumes for volume in service["volumes"])


def test_no_secret_stands_in_the_file() -> None:
    for name, service in compose.read()["services"].items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|_URL|KEY", key) and key != "HEADRACE_PUBLIC_URL":
                assert key.endswith("_FILE"), f"{name} gets {key} from the file"
                assert str(value).startswith("/run/secrets/")


@pytest.mark.parametrize("path", [compose.COMPOSE, compose.TLS], ids=lambda path: path.name)
def test_every_secret_is_one_that_make_secrets_generates_and_goes_to_who_reads_it(path: Path, secrets: Path) -> None:
    found = compose.read(path)

    for each in found["secrets"].values():
        assert (secrets / each["file"].removeprefix("./deploy/secrets/")).is_file()
    for name, service in found["services"].items():
        granted = [each if isinstance(each, str) else each["source"] for each in service.get("secrets", [])]
        assert set(granted) <= set(found["secrets"])
        targets = {each if isinstance(each, str) else each["target"] for each in service.get("secrets", [])}
        text = str(service)
        assert set(re.findall(r"/run/secrets/(\w+)", text)) <= targets, name
        assert all(target.startswith("/") or f"/run/secrets/{target}" in text for target in targets), name


def test_with_tls_every_service_shows_the_certificate_of_its_own_name() -> None:
    found = compose.read(compose.TLS)

    assert set(found["services"]) == set(SERVICES)
    for name, service in found["services"].items():
        assert not known.unread(name, service["environment"])
        sources = [each["source"] for each in service["secrets"] if isinstance(each, dict)]
        files = [Path(found["secrets"][source]["file"]).name for source in sources]
        assert files == [f"{name}.pem", f"{name}.key"]


def test_secrets_are_generated_once_and_belong_together(secrets: Path) -> None:
    before = {path: path.read_bytes() for path in secrets.rglob("*") if path.is_file()}
    subprocess.run([ROOT / "deploy" / "make-secrets", secrets], check=True, capture_output=True)

    assert {path: path.read_bytes() for path in secrets.rglob("*") if path.is_file()} == before
    assert secrets.stat().st_mode & 0o077 == 0
    for name in ("mongo", "rabbitmq", "redis", "elasticsearch"):
        url = URL((secrets / f"{name}_url").read_text().strip())
        assert url.password == (secrets / f"{name}_password").read_text().strip()
        assert url.host == name
    assert f"default_pass = {(secrets / 'rabbitmq_password').read_text()}" in (secrets / "rabbitmq_conf").read_text()
    assert "maxmemory-policy noeviction" in (secrets / "redis_conf").read_text()
    assert "replicaSet=rs0" in (secrets / "mongo_url").read_text()


def test_the_image_holds_every_package_and_runs_as_nobody() -> None:
    dockerfile = compose.DOCKERFILE.read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.MULTILINE))
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert {Path(each).parts[0] for each in project["tool"]["hatch"]["build"]["dev-mode-dirs"]} | {"proto"} == copied
    assert {f"!{each}" for each in copied} <= set(ignored)
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", dockerfile, re.MULTILINE)
    assert compose.entrypoint() == ["python", "-m"]


def test_what_may_be_set_around_compose_is_a_setting_or_stands_in_the_guide() -> None:
    guide = (ROOT / "docs" / "how-to" / "deploy.md").read_text()

    for name in compose.variables() - set(known.settings()):
        assert f"`{name}`" in guide


def test_logstash_is_given_what_its_pipeline_asks_for() -> None:
    from .logstash import PIPELINE, read, variables

    service = compose.service("logstash")
    given = {*service["environment"], *re.findall(r"(\w+_PASSWORD)=", str(service["entrypoint"]))}

    assert {"RABBITMQ_PASSWORD", "ELASTICSEARCH_PASSWORD"} <= given
    assert {name for name in given if not name.startswith("LS_")} <= variables()
    assert read(dict.fromkeys(given, "x"))
    assert any(str(PIPELINE.parent.relative_to(ROOT)) in volume for volume in service["volumes"])
