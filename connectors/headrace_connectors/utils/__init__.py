"""Utilities: what flows need that belongs to no service."""
