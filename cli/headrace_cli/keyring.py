"""The system's keyring, where there is one and the library that knows it (`pip install 'headrace[keyring]'`).

What it cannot do is done without it: a keyring may be missing, locked, switched off, or silent.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

_SERVICE = "headrace"
_PATIENCE_SECONDS = 60.0
"""Somebody may have to unlock it."""


def token(name: str) -> str:
    """What is kept under a name; empty where nothing is."""
    return str(_asked(lambda ring: ring.get_password(_SERVICE, name)) or "")


def keeps(name: str, token: str) -> bool:
    """Keep a token. Whether it is there afterwards: a keyring that is switched off takes everything and has nothing."""

    def keep(ring: Any) -> bool:
        ring.set_password(_SERVICE, name, token)
        return bool(ring.get_password(_SERVICE, name) == token)

    return _asked(keep) is True


def forget(name: str) -> None:
    """Have nothing under a name."""
    _asked(lambda ring: ring.delete_password(_SERVICE, name))


def _asked(question: Callable[[Any], Any]) -> Any:
    """The keyring's answer; None where it has none in time."""
    try:
        ring = importlib.import_module("keyring")
    except ImportError:
        return None
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(question(ring))
        except Exception:  # whatever a system's keyring raises
            answers.append(None)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_PATIENCE_SECONDS)
    return answers[0] if answers else None
