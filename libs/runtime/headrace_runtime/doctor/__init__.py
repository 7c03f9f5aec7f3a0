"""What `headrace doctor` asks of an installation: is each server there, new enough and set up to keep its promises?

`findings` says what comes out, `running` how checks are run side by side and in time. Each other module asks one kind
of server; what its answers mean is decided in `rules`, which ask nobody.
"""

from headrace_runtime.doctor.findings import Finding, Level, error, ok, warning
from headrace_runtime.doctor.running import Check, Report, Subject, examine

__all__ = ["Check", "Finding", "Level", "Report", "Subject", "error", "examine", "ok", "warning"]
