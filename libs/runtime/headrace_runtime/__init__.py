"""All shared input and output of the services: RPC, settings, lifecycle, logs, health, SQLite, egress."""
