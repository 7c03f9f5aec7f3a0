"""Gets what is missing: Debian packages, an environment for SecantusDB, Elasticsearch from Maven.

A second call finds everything in place and takes no time. Downloads go through apt, pip and mvn as they are set up.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.servers.places import alone, cache, is_root

ELASTICSEARCH = "8.19.7"
ELASTICSEARCH_ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{ELASTICSEARCH}:zip"
ELASTICSEARCH_SHA256 = "cb7f86fb6e68e85ef6f531ae5c68458ecfe42371150403b22b2ed21381581cbb"
SECANTUS_PINS = Path(__file__).with_name("secantusdb.txt")
PATIENCE_SECONDS = 900


class Missing(Exception):
    """A server cannot be had here. The message says which command brings it."""


def rabbitmq() -> Path:
    """The folder of RabbitMQ's programs."""
    folder = Path("/usr/lib/rabbitmq/bin")
    packages(["rabbitmq-server"], lambda: (folder / "rabbitmq-server").exists())
    return folder


def redis() -> Path:
    """Redis' server program."""
    packages(["redis-server"], lambda: shutil.which("redis-server") is not None)
    return Path(shutil.which("redis-server") or "/usr/bin/redis-server")


def secantus() -> Path:
    """SecantusDB's server program, in an environment of its own: it is GPL and no part of Headrace."""
    told = "SecantusDB (a server that speaks MongoDB's protocol)"
    return environment("secantusdb", SECANTUS_PINS, told) / "bin/secantusd-py"


def environment(name: str, pins: Path, told: str) -> Path:
    """The home of a Python environment of its own, with what is pinned there and nothing else."""
    home = cache() / f"{name}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    done = home / ".installed"
    with alone(name):
        if not done.exists():
            say(f"{told} from PyPI")
            shutil.rmtree(home, ignore_errors=True)
            run([sys.executable, "-m", "venv", str(home)])
            run([str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--requirement", str(pins)])
            done.touch()
    return home


def java() -> Path:
    """The home of a Java that Elasticsearch runs on."""
    packages(["openjdk-17-jre-headless"], lambda: shutil.which("java") is not None)
    return Path(shutil.which("java") or "/usr/bin/java").resolve().parent.parent


def elasticsearch() -> Path:
    """The folder of Elasticsearch's server, without its plugins, as Maven Central has it."""
    home = cache() / f"elasticsearch-{ELASTICSEARCH}"
    with alone("elasticsearch"):
        if not home.exists():
            java()
            packages(["maven"], lambda: shutil.which("mvn") is not None)
            say(f"Elasticsearch {ELASTICSEARCH} from Maven Central, 98 MB")
            with tempfile.TemporaryDirectory(dir=cache()) as work:
                archive = _elasticsearch_archive(Path(work))
                _unzip(archive, Path(work))
                Path(work, home.name).rename(home)
    return home


def _elasticsearch_archive(work: Path) -> Path:
    copy = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ELASTICSEARCH_ARTIFACT}", f"-DoutputDirectory={work}"]
    run(copy, cwd=work)
    archive = work / f"elasticsearch-{ELASTICSEARCH}.zip"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != ELASTICSEARCH_SHA256:
        raise Missing(f"{archive.name} is not what it was: its SHA-256 is {found}, not {ELASTICSEARCH_SHA256}.")
    return archive


def _unzip(archive: Path, into: Path) -> None:
    into.chmod(0o755)
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            there = Path(opened.extract(entry, into))
            mode = entry.external_attr >> 16
            if mode:
                there.chmod(mode | 0o444)


def packages(names: Sequence[str], are_there: Callable[[], bool]) -> None:
    """Install Debian packages, unless what they bring is there."""
    if are_there():
        return
    with alone("apt"):
        if are_there():
            return
        listed = " ".join(names)
        by_hand = f"apt-get install -y --no-install-recommends {listed}"
        if shutil.which("apt-get") is None:
            raise Missing(f"{listed} is missing, and this is no Debian or Ubuntu. Install it by your system's means.")
        say(f"{listed} from Debian")
        try:
            _apt(["update", "-qq"])
            _apt(["install", "-y", "-qq", "--no-install-recommends", *names])
        except Missing as error:
            raise Missing(f"{listed} could not be installed. Run this by hand: sudo {by_hand}\n{error}") from error
        if not are_there():
            raise Missing(f"{listed} is installed but its program is not where Debian puts it.")


def _apt(arguments: Sequence[str]) -> None:
    rights: list[str] = []
    if not is_root():
        if shutil.which("sudo") is None:
            raise Missing("There is no sudo here.")
        rights = ["sudo", *(() if sys.stdin.isatty() else ("-n",))]
    run([*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments])


def run(command: Sequence[str], *, cwd: Path | None = None, **environ: str) -> None:
    """Run what installs something; `environ` is added to the environment."""
    # Without the caller's virtual environment: pip must not believe that it is in there.
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **environ}, stdin=None, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise Missing(f"`{' '.join(command)}` ended with {done.returncode}:\n{said}")


def say(what: str) -> None:
    """Tell whoever waits what takes so long."""
    print(f"Installing {what} ...", file=sys.stderr, flush=True)
