"""Who has the port of the gateway."""

import errno

from headrace_runtime.doctor.findings import Finding, error, ok, warning


def port(address: str, failure: int, status: int | None, is_ours: bool, failed: str) -> Finding:
    """Judges why nobody could listen (`failure`, 0 for could), and what whoever has the port answered."""
    check = "port"
    if not failure:
        return ok(check, f"{address} is free")
    if failure == errno.EACCES:
        return error(check, f"{address} may not be used by this user", "Set HEADRACE_PORT to 1024 or above.")
    if failure != errno.EADDRINUSE:
        return error(check, f"{address} is no address of this machine", "Set HEADRACE_HOST to one, such as 127.0.0.1.")
    if not is_ours:
        advice = "Stop what listens there, or set HEADRACE_PORT to another one."
        return error(check, f"{address} is taken by something that is no Headrace", advice)
    if status == 200:
        missing = f", without {failed}" if failed else ""
        return ok(check, f"Headrace answers at {address} and is ready{missing}")
    advice = "Look at its log; it is starting, draining, or a service behind it is away."
    return warning(check, f"Headrace answers at {address} and is not ready{': ' + failed if failed else ''}", advice)
