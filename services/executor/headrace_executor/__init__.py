"""The executor: accepts events durably and runs flows."""
