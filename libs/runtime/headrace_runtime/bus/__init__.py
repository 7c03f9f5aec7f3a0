"""The two adapters of `headrace_core.ports.Bus`: memory for one process, RabbitMQ for many.

`bus.rabbitmq` is imported by those who use it, so that the embedded platform needs no driver.
"""

from headrace_runtime.bus.local import BATCH, LocalBus

__all__ = ["BATCH", "LocalBus"]
