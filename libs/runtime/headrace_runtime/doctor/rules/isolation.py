"""Whether this machine can keep published components to themselves."""

from __future__ import annotations

from collections.abc import Collection

from headrace_runtime.doctor.findings import Finding, ok, warning

MACHINES = ("x86_64", "aarch64")
NEEDED = "user_notif"
WITHOUT_GAPS = 6  # of Landlock: since then it knows all that we ask of it

_ADVICE = (
    "Run published components on Linux 6.12 or newer with Landlock and filters of system calls, on x86-64 or 64-bit"
    " ARM, with glibc; HEADRACE_RUNNER_ISOLATION=refuse runs none elsewhere."
)


def isolation(landlock: int, actions: Collection[str], machine: str, libc: str) -> Finding:
    """By the release of Landlock (0 for none), what filters of system calls may answer, and what this is."""
    lacks = []
    if landlock < 1:
        lacks.append("nothing keeps files from them (no Landlock)")
    elif landlock < WITHOUT_GAPS:
        lacks.append(f"Landlock is of release {landlock} and knows less than {WITHOUT_GAPS}")
    if NEEDED not in actions or machine not in MACHINES or libc != "glibc":
        lacks.append("nothing keeps them from connecting anywhere and starting processes (no filter of system calls)")
    if lacks:
        return warning("isolation", f"published components are not fully confined: {'; '.join(lacks)}", _ADVICE)
    return ok("isolation", "this kernel keeps published components from files, processes and connections")
