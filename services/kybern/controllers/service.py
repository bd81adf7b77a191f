"""The controllers as a service: one client, one set of informers, every enabled loop; with leader election if asked."""

import asyncio
from argparse import Namespace

from kybern.client.informer import SharedInformerFactory
from kybern.client.leader import LeaderElector
from kybern.client.objects import Client
from kybern.controllers.context import Context
from kybern.controllers.flags import add_flags, root_ca, split_controllers
from kybern.controllers.registry import CONTROLLERS, select_controllers
from kybern.kube.names import random_suffix
from kybern.rpc.transport import Policy
from kybern.runtime.service import Env, Service

LEASE_NAMESPACE, LEASE = "kube-system", "kube-controller-manager"
STOP_GRACE = 1.0


async def run(options: Namespace, env: Env) -> None:
    """Work until cancelled."""
    enabled = select_controllers(split_controllers(options.controllers), [*CONTROLLERS])
    channel = env.transport.channel(options.apiserver, "apiserver.kybern")
    server = env.transport.server(options.address, Policy())
    await server.start()
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
            )
            if not options.leader_elect:
                await _lead(context, enabled, env)
                return
            env.ready()  # standing by is its job until the lease is free
            identity = options.leader_elect_identity or f"kybern-controllers_{random_suffix(env.random, 10)}"
            elector = LeaderElector(client, LEASE_NAMESPACE, LEASE, identity, env.clock, env.random, env.telemetry)
            await elector.run(lambda: _lead(context, enabled, env))
    finally:
        await server.stop(STOP_GRACE)


async def _lead(context: Context, enabled: list[str], env: Env) -> None:
    controllers = [CONTROLLERS[name](context) for name in enabled]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(context.informers.run())
        for controller in controllers:
            tasks.create_task(controller.run())
        for recorder in context.recorders.values():
            tasks.create_task(recorder.run())
        await context.informers.wait_for_sync()
        env.ready()


SERVICE = Service(
    name="controllers",
    user="system:kube-controller-manager",
    help="the control loops",
    add_flags=add_flags,
    run=run,
)
