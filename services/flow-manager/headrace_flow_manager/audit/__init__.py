"""The audit trail: what administrators did."""
