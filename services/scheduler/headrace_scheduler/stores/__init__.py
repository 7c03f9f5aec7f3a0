"""Where timers, locks and quotas are kept."""
