"""Begins runs by the clock, and holds messages back."""
