"""The scheduler's shell: informers feed the core, the loop decides, binds go out; all for one scheduler name."""

import asyncio
from argparse import ArgumentParser, BooleanOptionalAction, Namespace

from kybern.client.events import EventRecorder
from kybern.client.informer import SharedInformerFactory
from kybern.client.leader import LeaderElector, LeadershipLost
from kybern.client.objects import Client
from kybern.client.resources import NAMESPACES, NODES, POD_DISRUPTION_BUDGETS, PODS
from kybern.protos.scheduler.v1 import scheduler_pb2_grpc
from kybern.rpc.transport import Policy
from kybern.runtime.main import ServiceFailure
from kybern.runtime.service import Env, Service
from kybern.scheduler.core.pod import DEFAULT_SCHEDULER
from kybern.scheduler.loop import Loop
from kybern.scheduler.servicer import SchedulerServicer
from kybern.scheduler.slim import slim_namespace, slim_node, slim_pod
from kybern.scheduler.watching import watch_budgets, watch_namespaces, watch_nodes, watch_pods

POLICY = Policy({"/kybern.scheduler.v1.Scheduler/": frozenset({"system:kybern:gateway"})})
LEASE = ("kube-system", "kube-scheduler")


def add_flags(parser: ArgumentParser) -> None:
    """Flags beyond the shared ones."""
    parser.add_argument(
        "--scheduler-name", default=DEFAULT_SCHEDULER, metavar="NAME", help="pods with this schedulerName are ours"
    )
    parser.add_argument(
        "--leader-elect",
        action=BooleanOptionalAction,
        default=False,
        help="schedule only while holding the Lease kube-system/kube-scheduler",
    )


async def run(options: Namespace, env: Env) -> None:
    """Schedule until cancelled."""
    async with Client(env.transport.channel(options.apiserver, "apiserver.kybern")) as client:
        informers = SharedInformerFactory(client, env.random, env.telemetry)
        pods = informers.informer(PODS, transform=slim_pod)
        nodes = informers.informer(NODES, transform=slim_node)
        namespaces = informers.informer(NAMESPACES, transform=slim_namespace)
        recorder = EventRecorder(client, options.scheduler_name, env.clock, env.telemetry)
        loop = Loop(client, env, recorder, options.scheduler_name)
        watch_namespaces(namespaces, loop)
        watch_budgets(informers.informer(POD_DISRUPTION_BUDGETS), loop)
        watch_nodes(nodes, loop)
        watch_pods(pods, loop)
        server = env.transport.server(options.address, POLICY)
        scheduler_pb2_grpc.add_SchedulerServicer_to_server(SchedulerServicer(loop), server)  # type: ignore[arg-type]  # any transport's server
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(informers.run())
                tasks.create_task(recorder.run())
                await informers.wait_for_sync()
                await server.start()  # healthy only now
                env.ready()
                await _lead(options, env, client, loop)
        finally:
            await server.stop(1.0)


async def _lead(options: Namespace, env: Env, client: Client, loop: Loop) -> None:
    if not options.leader_elect:
        await loop.run()
        return
    identity = f"{options.scheduler_name}_{env.random.getrandbits(64):016x}"
    elector = LeaderElector(client, *LEASE, identity, env.clock, env.random, env.telemetry)
    try:
        await elector.run(loop.run)
    except LeadershipLost as lost:
        raise ServiceFailure(str(lost)) from lost


SERVICE = Service(
    name="scheduler", user="system:kube-scheduler", help="Binds pods to nodes.", add_flags=add_flags, run=run
)
