"""Charts: what people want to see of their log."""
