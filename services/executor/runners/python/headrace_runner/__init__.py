"""The process that hosts one bundle of published Python components for one tenant. The executor starts and ends it."""
