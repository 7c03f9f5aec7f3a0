"""Archives of everything a tenant owns: written to be kept or moved, and read back. `layout.py` says what is in one."""
