"""Calls between services: in process or over gRPC, with the same stubs, servicers and errors.

Servicers raise `HeadraceError`s and callers get the same class back, whichever way the call went.
A servicer's methods are coroutines, or async generators where they stream.
"""

from grpc.aio import Channel, Server

from headrace_runtime.rpc.asking import check_serving
from headrace_runtime.rpc.client import DEFAULT_TIMEOUT, dial
from headrace_runtime.rpc.local import LocalChannel, LocalServer
from headrace_runtime.rpc.peer import Peer, PeerSettings
from headrace_runtime.rpc.replicas import Replicas, Resolved, TheOnly
from headrace_runtime.rpc.server import ENDLESS, RunningServer, ServerLimits, serve
from headrace_runtime.rpc.tls import Identity

__all__ = [
    "DEFAULT_TIMEOUT",
    "ENDLESS",
    "Channel",
    "Identity",
    "LocalChannel",
    "LocalServer",
    "Peer",
    "PeerSettings",
    "Replicas",
    "Resolved",
    "RunningServer",
    "Server",
    "ServerLimits",
    "TheOnly",
    "check_serving",
    "dial",
    "serve",
]
