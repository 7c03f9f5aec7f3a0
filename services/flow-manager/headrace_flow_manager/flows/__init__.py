"""Flows: records, versions, and whether they run."""
