"""Tests over the whole platform: real services, real SQLite, a real socket."""
