"""A key may ask thirty times a minute, and for two maps at once."""

from datetime import timedelta

rules = [
    {"limit": 30, "window": timedelta(minutes=1), "resource": "requests", "scope": "userId"},
    {"limit": 2, "throttling": "limit-concurrency", "resource": "maps", "scope": "userId"},
]
