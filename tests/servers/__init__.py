"""The backing servers of server mode, started natively: RabbitMQ, Redis, MongoDB's wire and Elasticsearch.

    with RabbitMq(folder) as broker:    # installs what is missing, starts, waits until it serves
        use(broker.url)
        broker.kill()                   # kill -9
        broker.start()                  # the same port, the same data

Each server has its own ports, data and log directory; what it starts ends with it, and nothing else is ever touched.
`python -m tests.servers` (`make services`) runs all four until Ctrl-C. Tests take the fixtures of `fixtures.py`.
"""

from tests.servers.elasticsearch import Elasticsearch
from tests.servers.mongo import Mongo
from tests.servers.rabbitmq import RabbitMq
from tests.servers.redis import Redis
from tests.servers.server import Server

__all__ = ["Elasticsearch", "Mongo", "RabbitMq", "Redis", "Server"]
