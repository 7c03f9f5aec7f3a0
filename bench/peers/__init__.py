"""What is measured: our platform, embedded and as services, and what a user could pick instead."""
