"""What keeps a command from doing its work: a line that says what, which one and what to do, and an exit status."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a command ends. The numbers are a promise: scripts tell by them what went wrong."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    NOT_FOUND = 4
    CONFLICT = 5
    UNAVAILABLE = 6
    FORBIDDEN = 7


MEANINGS: dict[Status, str] = {
    Status.DONE: "It is done.",
    Status.FAILED: "It was refused or failed, or, for `flow diff`, something differs.",
    Status.USAGE: "The command is none, or an option is wrong.",
    Status.NOT_SIGNED_IN: "Nobody is signed in, or the token has ended.",
    Status.NOT_FOUND: "What was named is not there.",
    Status.CONFLICT: "Somebody else changed it meanwhile, or it is in use.",
    Status.UNAVAILABLE: "The host does not answer, or is too busy: try again.",
    Status.FORBIDDEN: "This is not for you.",
}


class Failure(Exception):
    """Ends a command. `message` says what is wrong, `fix` what to do."""

    def __init__(self, status: Status, message: str, fix: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.fix = fix
        self.problems = problems
