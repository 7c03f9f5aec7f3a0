"""The gateway, from the outside: over ASGI and over real sockets."""
