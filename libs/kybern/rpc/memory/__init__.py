"""gRPC without a network: the same stubs and servicers in one event loop, real or virtual.

Messages cross as bytes, so that nothing is shared by accident. Policy, deadlines, errors, health and reflection are
those of the gRPC transport. Latency and faults come from a `MemoryNetwork` with a seed of its own.
"""

from kybern.rpc.memory.network import MemoryNetwork
from kybern.rpc.memory.transport import MemoryTransport

__all__ = ["MemoryNetwork", "MemoryTransport"]
