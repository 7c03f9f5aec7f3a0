"""What is true of a data directory, and what it means."""

from headrace_runtime.doctor.findings import Finding, error, ok, warning
from headrace_runtime.doctor.rules.versions import parsed

OLDEST_SQLITE = (3, 35, 0)  # RETURNING
OLDEST_PYTHON = (3, 11)
LEAST_BYTES = 64 * 1024**2
FEW_BYTES = 1024**3

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "ncpfs", "virtiofs"}
)
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuseblk"})


def python(version: tuple[int, int, int]) -> Finding:
    """The interpreter is one that Headrace runs on."""
    text = ".".join(map(str, version))
    if version[:2] < OLDEST_PYTHON:
        return error("Python", f"{text} is too old", f"Take Python {'.'.join(map(str, OLDEST_PYTHON))} or newer.")
    return ok("Python", text)


def file_system(kind: str) -> Finding:
    """SQLite's locks and its write-ahead log hold here, and the data outlive a restart."""
    if kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE):
        advice = "Set HEADRACE_DATA_DIR to a local disk, or use MongoDB, Redis and Elasticsearch."
        return error("file system", f"{kind}, over which SQLite's locks do not hold", advice)
    if kind == "tmpfs":
        return warning("file system", "tmpfs, which is memory", "Set HEADRACE_DATA_DIR to a disk: a reboot loses it.")
    if kind == "overlay":
        advice = "Mount a volume at HEADRACE_DATA_DIR: what is kept here goes with the container."
        return warning("file system", "overlay, the layer of a container", advice)
    return ok("file system", kind or "unknown")


def room(free: int, free_files: int) -> Finding:
    """There is room for what comes next."""
    found = f"{free / 1024**3:.1f} GB free"
    advice = "Make room, or shorten HEADRACE_RUN_RETENTION, HEADRACE_LOG_RETENTION or HEADRACE_LOG_MAX_BYTES."
    if free < LEAST_BYTES or free_files < 100:
        return error("room", f"{found}, room for {free_files} files", advice)
    if free < FEW_BYTES:
        return warning("room", found, advice)
    return ok("room", found)


def sqlite(version: str, has_full_text: bool) -> Finding:
    """The library can do what the stores ask."""
    if parsed(version) < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        return error("SQLite", f"{version} is too old", f"Use a Python with SQLite {needed} or newer.")
    if not has_full_text:
        return error(
            "SQLite", f"{version} without FTS5", "Use a Python whose SQLite has FTS5: logs are searched by it."
        )
    return ok("SQLite", version)


def integrity(name: str, lines: list[str] | None) -> Finding:
    """Judges what `PRAGMA quick_check` said; None where it was not done in time."""
    if lines is None:
        advice = f"In a quiet hour: sqlite3 'file:{name}?mode=ro' 'PRAGMA quick_check'."
        return warning(name, "too large to be checked in passing", advice)
    if lines == ["ok"]:
        return ok(name, "sound")
    advice = "Stop Headrace, keep a copy of the whole directory, and restore the last backup."
    return error(name, f"damaged: {' '.join('; '.join(lines).split())[:200]}", advice)


def schema(name: str, kept: int, known: int) -> Finding | None:
    """A file of a newer release is not opened; any other is well."""
    if kept <= known:
        return None
    return error(name, f"schema {kept}, and this release knows {known}", "Start the newer release.")


def lock(owner: int | None) -> Finding:
    """Whether a platform runs on this directory; either is well."""
    return ok("lock", "free: no Headrace runs on it" if owner is None else f"held by the running Headrace {owner}")
