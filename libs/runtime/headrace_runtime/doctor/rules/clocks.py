"""Clocks: leases, timers and logs compare times of several machines."""

from datetime import timedelta

from headrace_runtime.doctor.findings import Finding, error, ok, warning

NOTABLE = timedelta(seconds=1)
HARMFUL = timedelta(minutes=1)


def skew(ahead: timedelta) -> Finding:
    """Judges how far the server's clock is ahead of ours."""
    seconds = ahead.total_seconds()
    found = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    advice = "Run NTP (chrony, systemd-timesyncd) on both machines."
    if abs(ahead) >= HARMFUL:
        return error("clock", found, advice)
    if abs(ahead) >= NOTABLE:
        return warning("clock", found, advice)
    return ok("clock", "as this machine's")
