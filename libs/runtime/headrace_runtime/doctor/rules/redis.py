"""What Redis' answers mean."""

from collections.abc import Mapping
from typing import Any

from headrace_runtime.doctor.findings import Finding, error, ok, warning
from headrace_runtime.doctor.rules.versions import is_open, too_old
from headrace_runtime.redis import OLDEST_VERSION

LUA_FLAW = {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2}
"""CVE-2025-49844: whoever may run scripts runs code in the server. The first patch without it."""
LUA_FLAW_OF_VALKEY = {(7, 2): 11, (8, 0): 6, (8, 1): 4}

NEARLY_FULL = 0.8

Answer = Mapping[str, Any]


def version(server: Answer) -> list[Finding]:
    """New enough, and not open to the flaw of its scripts."""
    is_valkey = "valkey_version" in server
    text = str(server.get("valkey_version" if is_valkey else "redis_version", ""))
    found = ok("version", f"Valkey {text}") if is_valkey else too_old(text, OLDEST_VERSION, "Redis")
    if not is_open(text, LUA_FLAW_OF_VALKEY if is_valkey else LUA_FLAW):
        return [found]
    advice = "Upgrade, unless your distribution mended it in this version; let nobody but Headrace run EVAL."
    return [found, warning("flaws", f"{text} is open to CVE-2025-49844 (Lua)", advice)]


def eviction(memory: Answer) -> Finding:
    """A full Redis refuses writes and forgets nothing."""
    policy = memory.get("maxmemory_policy", "")
    if policy == "noeviction":
        return ok("maxmemory-policy", "noeviction")
    advice = "Set maxmemory-policy noeviction, in redis.conf or by CONFIG SET."
    if memory.get("maxmemory"):
        return error("maxmemory-policy", f"{policy}: timers are thrown away when memory is full", advice)
    return warning("maxmemory-policy", f"{policy}, without effect as long as maxmemory is 0", advice)


def memory(told: Answer) -> Finding:
    """There is a limit, and room below it."""
    used, most = int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))
    if not most:
        advice = "Set maxmemory below the machine's, so that a full Redis refuses writes instead of being killed."
        return warning("memory", f"{_megabytes(used)} used, without a limit", advice)
    found = f"{_megabytes(used)} of {_megabytes(most)} used"
    if used >= most:
        return error("memory", found, "Raise maxmemory: Redis refuses writes now.")
    if used >= most * NEARLY_FULL:
        return warning("memory", found, "Raise maxmemory before it is full.")
    return ok("memory", found)


def persistence(told: Answer, fsync: str) -> Finding:
    """What a killed Redis has afterwards. `fsync` is "" where it does not tell."""
    if not int(told.get("aof_enabled", 0)):
        advice = "Set appendonly yes and appendfsync everysec."
        return warning("persistence", "no append-only file: a restart rebuilds all timers from the databases", advice)
    if told.get("aof_last_write_status", "ok") != "ok":
        return error("persistence", "the last write to the append-only file failed", "Look at its disk and its log.")
    if fsync == "no":
        advice = "Set appendfsync everysec."
        return warning("persistence", "append-only file, appendfsync no: seconds are lost with the machine", advice)
    return ok("persistence", f"append-only file, appendfsync {fsync}" if fsync else "append-only file")


def role(replication: Answer, cluster: Answer) -> Finding:
    """A server that takes writes, for all keys."""
    if replication.get("role") == "slave":
        primary = f"{replication.get('master_host')}:{replication.get('master_port')}"
        advice = f"Name the primary in HEADRACE_REDIS_URL, which it says is {primary}."
        return error("role", "a replica, which takes no writes", advice)
    if int(cluster.get("cluster_enabled", 0)):
        advice = "Take a Redis without cluster mode, with replicas for failover: all keys of Headrace lie in one slot."
        return warning("role", "a node of a cluster, which Headrace speaks to alone", advice)
    return ok("role", f"primary with {replication.get('connected_slaves', 0)} replicas")


def _megabytes(count: int) -> str:
    return f"{count / 1024**2:.0f} MB"
