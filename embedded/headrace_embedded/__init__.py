"""All five services in one process, over SQLite and local channels."""
