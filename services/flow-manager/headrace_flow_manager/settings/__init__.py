"""Documents that administrators change while the platform runs."""
