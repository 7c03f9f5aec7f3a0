"""Paths that people choose for webhooks."""
