"""Somebody at a shell with Appmixer's command line: a home of their own, and what each command said."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.system.process import Answer, Client, as_json

from .install import Client as Program

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PATIENCE_SECONDS = 60


class Person:
    """Runs commands as somebody who is signed in at `url`, with what they may ask of the API themselves."""

    def __init__(self, program: Program, home: Path, client: Client, test_port: int) -> None:
        self.home = home
        self.client = client
        self.url = f"http://127.0.0.1:{client.port}"
        self._program = program
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_UPDATE_NOTIFIER": "1",
            "GRIDD_URL": self.url,  # not the vendor's, whatever is asked before an address is set
            "TEST_SERVER_URL": f"http://localhost:{test_port}",
        }

    @property
    def token(self) -> str:
        return self.client.headers["Authorization"].removeprefix("Bearer ")

    @property
    def settings(self) -> dict[str, Any]:
        """What the command line keeps."""
        file = self._settings_file
        kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return kept

    def keep_sign_in(self) -> None:
        """Have the command line's settings say what they say after a sign-in."""
        self._settings_file.parent.mkdir(parents=True, exist_ok=True)
        user = self.client.get("/user").json()
        kept = {"appmixer-url": {"default": {"url": self.url}, "aliases": {}}, "user": user, "token": self.token}
        self._settings_file.write_text(json.dumps(kept))

    @property
    def _settings_file(self) -> Path:
        return self.home / ".config" / "configstore" / "appmixer.json"

    def run(self, *words: str, given: str = "", status: int = 0) -> str:
        """What a command prints, without its colours. It must end with the status."""
        with self.start(*words) as child:
            said, _ = child.communicate(given, timeout=PATIENCE_SECONDS)
        said = plain(said)
        assert child.returncode == status, said
        return said

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that is answered while it runs."""
        return subprocess.Popen(
            [*self._program.command, *words],
            cwd=self.home,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run_at_terminal(self, *words: str, asked: str, answer: str) -> str:
        """The same where the command asks something, which it does at a terminal only."""
        outside, inside = pty.openpty()
        try:
            child = subprocess.Popen(
                [*self._program.command, *words],
                cwd=self.home,
                env=self._environ,
                stdin=inside,
                stdout=inside,
                stderr=inside,
                start_new_session=True,
            )
            os.close(inside)
            said = _answered(outside, asked, answer)
            assert child.wait(PATIENCE_SECONDS) == 0, said
        finally:
            os.close(outside)
        return said

    def json(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """What the API answers this person."""
        answer: Answer = self.client.get(path, params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make_developer(self, other: Person, vendor: str) -> None:
        """Have somebody else develop for a vendor, as an administrator."""
        user_id = other.json("/user")["id"]
        made = self.client.call("PUT", f"/users/{user_id}", as_json({"vendor": vendor}), {})
        assert made.status_code == 200, made.text

    def write(self, name: str, value: object) -> Path:
        """A JSON file in the person's home."""
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
        return file


def plain(said: str) -> str:
    """The text without its colours."""
    return _COLOURS.sub("", said)


def _answered(terminal: int, asked: str, answer: str) -> str:
    """All that comes from the terminal, which is given the answer once it shows the question."""
    said, has_answered = "", False
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            return said
        if not read:
            return said
        said += plain(read.decode(errors="replace"))
        if not has_answered and asked in said:
            has_answered = True
            os.write(terminal, answer.encode())
    raise AssertionError(f"The command has not ended: {said}")
