"""What is measured: the embedded platform, and what a user could pick instead."""
