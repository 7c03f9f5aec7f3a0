"""Tests flows with flows."""
