"""The controllers as a service: one client, one set of informers, every enabled loop; with leader election if asked."""

import asyncio
from argparse import Namespace
from collections.abc import Awaitable, Callable
from functools import partial

from kybern.client.informer import SharedInformerFactory
from kybern.client.leader import LeaderElector, LeadershipLost
from kybern.client.objects import Client
from kybern.controllers.context import Context
from kybern.controllers.flags import add_flags, root_ca, split_controllers, token_keys
from kybern.controllers.registry import CONTROLLERS, UnknownController, select_controllers
from kybern.kube.names import random_suffix
from kybern.rpc.transport import Policy, Server
from kybern.runtime.main import ServiceFailure
from kybern.runtime.service import Env, Service

LEASE_NAMESPACE, LEASE = "kube-system", "kube-controller-manager"
STOP_GRACE = 1.0


async def run(options: Namespace, env: Env) -> None:
    """Work until cancelled."""
    try:
        enabled = select_controllers(split_controllers(options.controllers), [*CONTROLLERS])
    except UnknownController as error:
        raise ServiceFailure(f"--controllers: {error}") from error
    try:
        keys = token_keys(options)
    except (OSError, ValueError) as error:
        raise ServiceFailure(f"--service-account-private-key-file: {error}") from error
    channel = env.transport.channel(options.apiserver, "apiserver.kybern")
    server = env.transport.server(options.address, Policy())
    try:
        async with Client(channel, field_manager="kube-controller-manager") as client:
            informers = SharedInformerFactory(client, env.random, env.telemetry)
            context = Context(
                client=client,
                informers=informers,
                clock=env.clock,
                random=env.random,
                telemetry=env.telemetry,
                options=options,
                channel=channel,
                root_ca=root_ca(options),
                token_keys=keys,
            )
            if not options.leader_elect:
                await _lead(context, enabled, partial(_start, server, env))
                return
            await _start(server, env)  # standing by is its job until the lease is free
            identity = options.leader_elect_identity or f"kybern-controllers_{random_suffix(env.random, 10)}"
            elector = LeaderElector(client, LEASE_NAMESPACE, LEASE, identity, env.clock, env.random, env.telemetry)
            try:
                await elector.run(lambda: _lead(context, enabled, _nothing))
            except LeadershipLost as lost:
                raise ServiceFailure(str(lost)) from lost
    finally:
        await server.stop(STOP_GRACE)


async def _start(server: Server, env: Env) -> None:
    """Be healthy and ready."""
    await server.start()
    env.ready()


async def _nothing() -> None: ...


async def _lead(context: Context, enabled: list[str], synced: Callable[[], Awaitable[None]]) -> None:
    controllers = [CONTROLLERS[name](context) for name in enabled]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(context.informers.run())
        for controller in controllers:
            tasks.create_task(controller.run())
        for shared in context.shared():
            tasks.create_task(shared.run())
        await context.informers.wait_for_sync()
        await synced()


SERVICE = Service(
    name="controllers",
    user="system:kube-controller-manager",
    help="the control loops",
    add_flags=add_flags,
    run=run,
)
