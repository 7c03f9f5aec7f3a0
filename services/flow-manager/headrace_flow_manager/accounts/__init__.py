"""Accounts: what flows act with at the services of others, connected, kept secret and kept fresh."""
