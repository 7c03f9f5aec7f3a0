"""Four jobs, measured on the embedded platform and on what a user could pick instead. `python -m bench --help`."""
