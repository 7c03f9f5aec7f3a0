"""People tasks: somebody is asked to decide, once, until a time."""
