"""Hosts that somebody signs in to, by name, and the tokens: in the system's keyring, else in a file of mode 0600."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace_cli import keyring
from headrace_cli.failures import Failure, Status

DEFAULT_URL = "http://127.0.0.1:2200"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Profile:
    """One host, and who is signed in there."""

    name: str
    url: str
    email: str = ""


class Profiles:
    """What is kept between commands, under `$XDG_CONFIG_HOME/headrace` or `~/.config/headrace`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".config")
        self._folder = Path(home) / "headrace"
        self._file = self._folder / "profiles.json"
        self._tokens = self._folder / "tokens.json"

    def all(self) -> list[Profile]:
        """Every profile, by name."""
        kept = _read(self._file).get("profiles", {})
        return [Profile(name, each["url"], each.get("email", "")) for name, each in sorted(kept.items())]

    @property
    def current(self) -> str:
        """The name of the profile that commands take when none is named."""
        return str(_read(self._file).get("current", DEFAULT))

    def get(self, name: str) -> Profile:
        """A profile by name. Raises Failure; the default one is there always."""
        for each in self.all():
            if each.name == name:
                return each
        if name == DEFAULT:
            return Profile(DEFAULT, DEFAULT_URL)
        raise Failure(
            Status.NOT_FOUND, f"There is no profile {name!r}.", f"Sign in: headrace login URL --profile {name}"
        )

    def keep(self, profile: Profile, token: str) -> None:
        """Remember who is signed in, and make this the current profile."""
        kept = _read(self._file)
        profiles = {**kept.get("profiles", {}), profile.name: {"url": profile.url, "email": profile.email}}
        _write(self._file, {"current": profile.name, "profiles": profiles})
        self._keep_token(profile.name, token)

    def use(self, name: str) -> None:
        """Make a profile the current one. Raises Failure."""
        self.get(name)
        _write(self._file, {**_read(self._file), "current": name})

    def forget(self, name: str) -> None:
        """Remove a profile with its token. Raises Failure."""
        self.get(name)
        kept = _read(self._file)
        profiles = {each: value for each, value in kept.get("profiles", {}).items() if each != name}
        current = kept.get("current", DEFAULT)
        _write(self._file, {"current": DEFAULT if current == name else current, "profiles": profiles})
        self.forget_token(name)

    def token(self, name: str) -> str:
        """The token of a profile; empty when nobody is signed in."""
        return keyring.token(name) or str(_read(self._tokens).get(name, ""))

    def forget_token(self, name: str) -> None:
        """Nobody is signed in there any more."""
        keyring.forget(name)
        self._drop(name)

    def _keep_token(self, name: str, token: str) -> None:
        if keyring.keeps(name, token):
            self._drop(name)  # one that was kept here before
        else:
            _write(self._tokens, {**_read(self._tokens), name: token})

    def _drop(self, name: str) -> None:
        tokens = _read(self._tokens)
        if tokens.pop(name, None) is not None:
            _write(self._tokens, tokens)


def _read(file: Path) -> dict[str, Any]:
    try:
        kept = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Failure(Status.FAILED, f"{file} cannot be read: {error}", "Mend it, or remove it and sign in.") from None
    return kept if isinstance(kept, dict) else {}


def _write(file: Path, value: Mapping[str, Any]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # of mode 0600
    try:
        with os.fdopen(handle, "w") as opened:
            json.dump(value, opened, indent=2)
        os.replace(name, file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
