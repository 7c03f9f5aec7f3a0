"""Decides which way messages take, and when."""
