"""Keeper of what users make: flows, people, the catalog, data stores, files and settings."""
