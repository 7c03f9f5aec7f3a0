"""Versions: as old as Headrace needs, and not open to what is known of them."""

import re
from collections.abc import Mapping

from headrace_runtime.doctor.findings import Finding, error, ok, warning

Version = tuple[int, int, int]

_NUMBERS = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")


def parsed(text: str) -> Version:
    """The first three numbers of a version; zeros where there are none."""
    found = _NUMBERS.match(text)
    major, minor, patch = found.groups() if found else (None, None, None)
    return int(major or 0), int(minor or 0), int(patch or 0)


def too_old(version: str, oldest: tuple[int, int], product: str) -> Finding:
    """Says that the version is old enough, or which is needed."""
    needed = ".".join(map(str, oldest))
    if parsed(version) == (0, 0, 0):
        return warning("version", f"cannot be read: {version!r}", f"See that it is {product} {needed} or newer.")
    if parsed(version)[:2] < oldest:
        return error("version", f"{version} is too old", f"Upgrade to {product} {needed} or newer.")
    return ok("version", version)


def is_open(version: str, mended: Mapping[tuple[int, int], int]) -> bool:
    """Whether a flaw is open in this version. `mended` names the first mended patch of each release line.

    Lines between the mended ones never got the patch; lines after the last were made without the flaw.
    """
    major, minor, patch = parsed(version)
    if (major, minor) in mended:
        return patch < mended[(major, minor)]
    return (major, minor) < max(mended)
