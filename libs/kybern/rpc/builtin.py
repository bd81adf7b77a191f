"""The two services that every server answers: gRPC health and reflection.

Both name what was registered by itself; a service is SERVING from the start of its server until it drains.
"""

from collections.abc import Iterable
from typing import Any

from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer

OVERALL = ""


async def add_builtin_services(server: Any, names: Iterable[str]) -> Any:
    """Add health and reflection for the registered services; the result changes what health says."""
    servicer: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]  # not in the stubs
    for name in (OVERALL, *names):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    described = [*names, health.SERVICE_NAME, reflection.SERVICE_NAME]
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(ReflectionServicer(described), server)
    return servicer
