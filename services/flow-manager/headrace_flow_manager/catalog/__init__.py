"""The components that flows may use."""
