"""The user interface, in a real browser against the real platform."""
