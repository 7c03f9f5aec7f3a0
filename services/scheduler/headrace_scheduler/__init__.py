"""The scheduler: fires timers, hands out locks and meters quotas. It decides nothing about flows."""
