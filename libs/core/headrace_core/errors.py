"""Everything that Headrace refuses or fails at, as one tree.

    HeadraceError
    ├── ValidationFailed      what was given breaks rules; carries every problem found
    ├── BadRequest            the call itself makes no sense
    ├── Unauthenticated       nobody known is calling
    ├── Forbidden             the caller is known and may not do this
    ├── NotFound              there is no such thing, or not for this caller
    ├── Conflict              the thing's state does not allow this
    │   ├── RevisionConflict  somebody saved in between
    │   └── AlreadyExists     the name or id is taken
    ├── TooLarge              a size limit is passed
    ├── RateLimited           too many calls; says when to come back
    ├── Unavailable           a server we need is away; says when to come back
    ├── DeadlineExceeded      it took longer than it was given
    ├── Cancelled             somebody asked to stop it
    ├── Unsupported           Headrace does not do this
    ├── Fenced                a late twin's write, refused: somebody else owns the work now
    └── Internal              our mistake

Raise where the fact is known, translate once at the edge.
`to_dict` and `from_dict` carry an error between processes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal, Self

from headrace_core import Json

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, and how to mend it.

    `where` is a dotted path a person can follow, for instance `flow.<nodeId>.source.in`. Node, port and
    field are named apart too, so that an editor can point at them; each is "" where it has no meaning.
    """

    where: str
    message: str
    fix: str = ""
    node: str = ""
    port: str = ""
    field: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f" {self.fix}" if self.fix else "")

    def to_json(self) -> dict[str, Json]:
        """The problem as a JSON object; fields that say nothing are left out."""
        values: dict[str, Json] = {
            "where": self.where,
            "message": self.message,
            "fix": self.fix,
            "node": self.node,
            "port": self.port,
            "field": self.field,
        }
        kept = {name: value for name, value in values.items() if value or name in ("where", "message")}
        return kept if self.severity == "error" else {**kept, "severity": self.severity}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        """The problem that `to_json` wrote. Missing and foreign fields do no harm."""

        def text(name: str) -> str:
            found = value.get(name, "")
            return found if isinstance(found, str) else str(found)

        severity: Severity = "warning" if value.get("severity") == "warning" else "error"
        return cls(
            where=text("where"),
            message=text("message"),
            fix=text("fix"),
            node=text("node"),
            port=text("port"),
            field=text("field"),
            severity=severity,
        )


class HeadraceError(Exception):
    """Something was refused or failed. `code` never changes between releases; `message` is for people."""

    code: ClassVar[str] = "error"
    is_temporary: ClassVar[bool] = False

    def __init__(self, message: str, *, details: Mapping[str, Json] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Json] = dict(details or {})

    @classmethod
    def revive(cls, message: str, details: Mapping[str, Json]) -> "HeadraceError":
        """The error whose `message` and `details` these were."""
        return cls(message, details=details)


class ValidationFailed(HeadraceError):
    """What was given breaks rules. `problems` names all of them, each with its place and its fix."""

    code = "validation_failed"

    def __init__(self, problems: Sequence[Problem], message: str = "") -> None:
        self.problems = tuple(problems)
        listed: list[Json] = [problem.to_json() for problem in self.problems]
        super().__init__(message or _summary(self.problems), details={"problems": listed})

    @classmethod
    def revive(cls, message: str, details: Mapping[str, Json]) -> "HeadraceError":
        listed = details.get("problems")
        listed = listed if isinstance(listed, list) else []
        return cls([Problem.from_json(each) for each in listed if isinstance(each, dict)], message)


def _summary(problems: Sequence[Problem]) -> str:
    if not problems:
        return "What was given is not valid."
    rest = len(problems) - 1
    more = f" (and {rest} more problem{'s' if rest > 1 else ''})" if rest else ""
    return f"{problems[0]}{more}"


class BadRequest(HeadraceError):
    """The call itself makes no sense: mend it before trying again."""

    code = "bad_request"


class Unauthenticated(HeadraceError):
    """Nobody known is calling: log in, or send a valid token."""

    code = "unauthenticated"

    def __init__(
        self, message: str = "Log in, or send a valid token.", *, details: Mapping[str, Json] | None = None
    ) -> None:
        super().__init__(message, details=details)


class Forbidden(HeadraceError):
    """The caller is known and may not do this."""

    code = "forbidden"

    def __init__(self, message: str = "You may not do this.", *, details: Mapping[str, Json] | None = None) -> None:
        super().__init__(message, details=details)


class NotFound(HeadraceError):
    """There is no such thing, or it is not the caller's to see. The two are never told apart."""

    code = "not_found"

    def __init__(self, what: str, which: str = "", *, message: str = "") -> None:
        self.what = what
        self.which = which
        said = message or (f"There is no {what} {which!r}." if which else f"There is no such {what}.")
        super().__init__(said, details={"what": what, "which": which})

    @classmethod
    def revive(cls, message: str, details: Mapping[str, Json]) -> "HeadraceError":
        return cls(str(details.get("what", "")), str(details.get("which", "")), message=message)


class Conflict(HeadraceError):
    """The thing's present state does not allow this."""

    code = "conflict"


class RevisionConflict(Conflict):
    """Somebody saved in between: read it again, apply the change to that, and save."""

    code = "revision_conflict"


class AlreadyExists(Conflict):
    """The name or id is taken."""

    code = "already_exists"


class TooLarge(HeadraceError):
    """A size limit is passed; the message says which and by what."""

    code = "too_large"


class _ComeBackLater(HeadraceError):
    """The same call may well succeed later; `retry_after` says when, where that is known."""

    is_temporary = True
    _default_message: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: timedelta | None = None,
        details: Mapping[str, Json] | None = None,
    ) -> None:
        said: dict[str, Json] = dict(details or {})
        if retry_after is not None:
            said["retry_after_seconds"] = retry_after.total_seconds()
        self.retry_after = retry_after
        super().__init__(message or self._default_message, details=said)

    @classmethod
    def revive(cls, message: str, details: Mapping[str, Json]) -> "HeadraceError":
        seconds = details.get("retry_after_seconds")
        wait = timedelta(seconds=seconds) if isinstance(seconds, (int, float)) else None
        return cls(message, retry_after=wait, details=details)


class RateLimited(_ComeBackLater):
    """Too many calls. Wait, then try again."""

    code = "rate_limited"
    _default_message = "Too many calls. Wait a little and try again."


class Unavailable(_ComeBackLater):
    """A server that is needed for this is away. Nothing was changed; try again."""

    code = "unavailable"
    _default_message = "A server that is needed for this is away. Try again in a moment."


class DeadlineExceeded(HeadraceError):
    """It took longer than it was given. Whether it happened is not known."""

    code = "deadline_exceeded"
    is_temporary = True


class Cancelled(HeadraceError):
    """Somebody asked to stop it, and it stopped."""

    code = "cancelled"


class Unsupported(HeadraceError):
    """Headrace does not do this; the message says what to use instead."""

    code = "unsupported"


class Fenced(HeadraceError):
    """A late twin's write was refused: somebody else owns the work now. Throw this result away."""

    code = "fenced"


class Internal(HeadraceError):
    """Our mistake. The log of the service has the rest."""

    code = "internal"


ALL: tuple[type[HeadraceError], ...] = (
    HeadraceError,
    ValidationFailed,
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    RevisionConflict,
    AlreadyExists,
    TooLarge,
    RateLimited,
    Unavailable,
    DeadlineExceeded,
    Cancelled,
    Unsupported,
    Fenced,
    Internal,
)

BY_CODE: Mapping[str, type[HeadraceError]] = {each.code: each for each in ALL}


def to_dict(error: HeadraceError) -> dict[str, Json]:
    """The error as a JSON object: code, message and, where there are any, details."""
    said: dict[str, Json] = {"code": error.code, "message": error.message}
    if error.details:
        said["details"] = dict(error.details)
    return said


def from_dict(value: Mapping[str, Json]) -> HeadraceError:
    """The error that `to_dict` wrote: the same class, message and details.

    A code that this release does not know becomes `Internal`, with the code kept in its details.
    """
    details = value.get("details")
    known: dict[str, Json] = details if isinstance(details, dict) else {}
    message = str(value.get("message", ""))
    code = str(value.get("code", ""))
    found = BY_CODE.get(code)
    if found is None:
        return Internal(message, details={**known, "unknown_code": code})
    return found.revive(message, known)
