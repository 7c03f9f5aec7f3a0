"""Where the executor keeps what it must not lose."""
