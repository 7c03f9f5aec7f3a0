"""The gateway: REST, webhooks and live streams over the services behind it. It keeps nothing."""
