"""What becomes of each thing in an archive: decided first, carried out then."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from headrace_core import Json
from headrace_core.ids import derive_id

OnConflict = Literal["skip", "replace", "rename"]
Verdict = Literal["created", "renamed", "replaced", "completed", "unchanged", "skipped", "failed", "leftOut"]
"""`completed` is what was here in part: what was missing was added."""

POLICIES: Final = ("skip", "replace", "rename")
WRITTEN: Final = ("created", "renamed", "replaced")
_SUFFIX: Final = " (imported)"
_MAX_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one thing. `target` is the id it has here; `counts` are of the records of a store."""

    kind: str
    id: str
    verdict: Verdict
    target: str = ""
    name: str = ""
    why: str = ""
    counts: tuple[tuple[str, int], ...] = ()

    def failed(self, why: str) -> "Decision":
        """The same, but it could not be done."""
        return replace(self, verdict="failed", why=why)

    def shown(self) -> dict[str, Json]:
        """As the answer tells it."""
        said: dict[str, Json] = {"kind": self.kind, "id": self.id, "verdict": self.verdict}
        if self.target not in ("", self.id):
            said["newId"] = self.target
        more = {"name": self.name, "why": self.why}
        said |= {name: value for name, value in more.items() if value}
        return said | ({"records": dict[str, Json](self.counts)} if self.counts else {})


@dataclass(slots=True)
class Report:
    """All decisions in their order, and what else there is to say."""

    decisions: list[Decision] = field(default_factory=list)
    were_running: list[str] = field(default_factory=list)
    secrets: Literal["none", "imported", "leftOut"] = "none"

    def ids(self, *kinds: str) -> dict[str, str]:
        """New ids by old ones, of things of these kinds that have another id here."""
        return {
            each.id: each.target for each in self.decisions if each.kind in kinds and each.target not in ("", each.id)
        }

    def shown(self) -> dict[str, Json]:
        """As the answer tells it."""
        counts = Counter(each.verdict for each in self.decisions)
        kinds = dict.fromkeys(each.kind for each in self.decisions)
        ids: dict[str, Json] = {kind: dict[str, Json](found) for kind in kinds if (found := self.ids(kind))}
        return {
            "counts": dict[str, Json](sorted(counts.items())),
            "ids": ids,
            "wereRunning": [*self.were_running],
            "secrets": self.secrets,
            "items": [each.shown() for each in self.decisions],
        }


def other_id(tenant: str, kind: str, old_id: str, *, why: Literal["taken", "copy"]) -> str:
    """The id of what cannot have its own: the same each time, so that a second import finds what the first made."""
    return derive_id("import", why, tenant, kind, old_id)


def other_name(name: str) -> str:
    """The name of a copy."""
    return name[: _MAX_NAME - len(_SUFFIX)] + _SUFFIX


def other_path(path: str) -> str:
    """The path of a copy of an alias."""
    return f"{path}-imported"


def differing(on_conflict: OnConflict, decision: Decision, why: str) -> Decision:
    """What becomes of a thing that is here, and otherwise; a copy is decided by whoever knows how to make one."""
    if on_conflict == "replace":
        return replace(decision, verdict="replaced")
    return replace(decision, verdict="skipped", why=why)
