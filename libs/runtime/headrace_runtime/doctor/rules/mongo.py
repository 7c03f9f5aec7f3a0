"""What MongoDB's answers mean."""

from collections.abc import Mapping
from typing import Any

from headrace_runtime.doctor.findings import Finding, error, ok, warning
from headrace_runtime.doctor.rules.versions import is_open, too_old

OLDEST = (5, 0)
MONGOBLEED = {(4, 4): 30, (5, 0): 32, (6, 0): 27, (7, 0): 28, (8, 0): 17, (8, 2): 3}
"""CVE-2025-14847: anybody who reaches the port reads memory of the server. The first patch without it."""

FULL = 0.9
NEARLY_FULL = 0.8

_GOOD_STATES = frozenset({"PRIMARY", "SECONDARY", "ARBITER"})

Answer = Mapping[str, Any]


def version(text: str) -> list[Finding]:
    """Old enough, and not open to MongoBleed."""
    found = too_old(text, OLDEST, "MongoDB")
    if not is_open(text, MONGOBLEED):
        return [found]
    advice = "Upgrade to the newest patch of its release line; until then start it with --networkMessageCompressors"
    return [found, warning("flaws", f"{text} is open to CVE-2025-14847 (MongoBleed)", f"{advice} without zlib.")]


def topology(hello: Answer) -> Finding:
    """A replica set or a sharded cluster, of which we can write."""
    name = hello.get("setName")
    if hello.get("msg") == "isdbgrid":
        return ok("replica set", "a sharded cluster")
    if not name:
        advice = "Start mongod with --replSet and call rs.initiate() once; one member is enough to begin."
        return error("replica set", "a single server, which cannot confirm writes on a majority", advice)
    if not hello.get("isWritablePrimary", hello.get("ismaster")):
        advice = "Name all members in HEADRACE_MONGO_URL with ?replicaSet=…, and no directConnection."
        return error("replica set", f"{name}: {hello.get('me', 'this member')} is not the primary", advice)
    return ok("replica set", str(name))


def members(status: Answer) -> Finding:
    """A majority is up, and better all are."""
    listed = status.get("members", [])
    sick = [f"{each.get('name')} is {each.get('stateStr')}" for each in listed if not _is_well(each)]
    advice = "Look at rs.status() and the logs of these members."
    if len(sick) * 2 >= len(listed) > 0 and sick:
        return error("members", f"no majority: {', '.join(sick)}", advice)
    if sick:
        return warning("members", f"{len(listed)}, of which {', '.join(sick)}", advice)
    if len(listed) == 1:
        advice = "For production add two members: rs.add(). Until then make backups of its disk."
        return warning("members", "one, whose disk is the only copy", advice)
    return ok("members", f"{len(listed)}, all well")


def _is_well(member: Answer) -> bool:
    return member.get("health", 1) == 1 and member.get("stateStr") in _GOOD_STATES


def defaults(concern: Answer, config: Answer) -> Finding:
    """What a write means there where nobody says; Headrace says majority and journal with each."""
    if config.get("writeConcernMajorityJournalDefault") is False:
        advice = "Set writeConcernMajorityJournalDefault to true with rs.reconfig()."
        return warning("write concern", "a majority confirms before it is on disk, which a power cut undoes", advice)
    w = concern.get("defaultWriteConcern", {}).get("w")
    told = f"default w: {w}; " if w is not None else ""
    return ok("write concern", f"{told}Headrace asks for w: majority, j: true itself")


def disk(stats: Answer) -> Finding | None:
    """Room on the file system of the data, where the server tells."""
    total, used = stats.get("fsTotalSize", 0), stats.get("fsUsedSize", 0)
    if not total:
        return None
    share = used / total
    found = f"{share:.0%} of {total / 1024**3:.0f} GB used"
    advice = "Make room: MongoDB ends when its disk is full."
    if share >= FULL:
        return error("disk", found, advice)
    if share >= NEARLY_FULL:
        return warning("disk", found, advice)
    return ok("disk", found)


def schema(database: str, kept: int | None, known: int | None) -> Finding:
    """The database is not of a newer release. `known` is None where this release does not say."""
    check = f"schema of {database}"
    if kept is None:
        return ok(check, "not there yet: made at the first start")
    if known is None or kept == known:
        return ok(check, f"version {kept}")
    if kept > known:
        return error(check, f"version {kept}, and this release knows {known}", "Start the newer release.")
    return ok(check, f"version {kept}: the next start brings it to {known}")
