"""Lets flows call each other."""
