"""System webhooks: what happens on the platform, told to addresses that administrators set."""
