"""Priority and fairness at work: floods that are shed, system traffic that goes on, queues, watches, configuration."""

import asyncio
import time
from typing import Any

import pytest
from prometheus_client import generate_latest

from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, LEASES, NAMESPACES, NODES, Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.rpc.exchange.client import ExchangeClient
from kybern.store.sqlite import SqliteStore

GROUP = "flowcontrol.apiserver.k8s.io"
LEVELS = Resource(GROUP, "v1", "prioritylevelconfigurations", "PriorityLevelConfiguration", False)
SCHEMAS = Resource(GROUP, "v1", "flowschemas", "FlowSchema", False)
EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
NODE = ("system:node:n1", "system:nodes")


def create(name: str) -> pb.CreateRequest:
    resource = pb.Resource(version="v1", resource="configmaps", namespace="default")
    return pb.CreateRequest(resource=resource, object=b'{"metadata":{"name":"%b"}}' % name.encode())


def get(name: str = "default") -> pb.GetRequest:
    return pb.GetRequest(resource=pb.Resource(version="v1", resource="namespaces"), name=name)


async def allow(admin: Client, *users: str) -> None:
    """Let users do everything."""
    binding = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", False)
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user} for user in users]
    await admin.create(binding, {"metadata": {"name": "all"}, "roleRef": ref, "subjects": subjects})


async def level(admin: Client, name: str, users: list[str], limited: dict[str, Any]) -> None:
    """A priority level, and a schema that puts users there."""
    spec: dict[str, Any] = {"type": "Limited", "limited": limited}
    await admin.create(LEVELS, {"metadata": {"name": name}, "spec": spec})
    rule = {
        "subjects": [{"kind": "User", "user": {"name": user}} for user in users],
        "resourceRules": [EVERYTHING],
    }
    spec = {
        "priorityLevelConfiguration": {"name": name},
        "matchingPrecedence": 50,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [rule],
    }
    await admin.create(SCHEMAS, {"metadata": {"name": name}, "spec": spec})


async def outcome(awaitable: Any) -> int:
    """200 or the code of the refusal; what a 429 must say is looked at where one is certain."""
    try:
        await awaitable
    except StatusError as error:
        return error.code
    return 200


async def test_a_flood_is_shed_and_system_traffic_goes_on(running: Any, tmp_path: Any) -> None:
    """Two thousand writes at once by a workload; meanwhile a node renews its lease and a scheduler leads on."""
    store = await SqliteStore.open(tmp_path / "store.db")
    async with running(store=store, max_requests_inflight=20, max_mutating_requests_inflight=10) as cluster:
        async with (
            cluster.client() as admin,
            cluster.client(*NODE) as node,
            cluster.client("system:kube-scheduler") as scheduler,
        ):
            await allow(admin, "mallory")
            await admin.create(NODES, {"metadata": {"name": "n1"}})
            await node.create(LEASES, {"metadata": {"name": "n1", "namespace": "kube-node-lease"}, "spec": {}})
            lease = {"metadata": {"name": "kube-scheduler", "namespace": "kube-system"}, "spec": {}}
            await scheduler.create(LEASES, lease)
            async with ExchangeClient(cluster.channel("mallory")) as flood:
                writes = [asyncio.create_task(outcome(flood.call(create(f"m{i}")))) for i in range(2000)]
                await asyncio.sleep(0)
                renewals: list[float] = []
                loop = asyncio.get_running_loop()
                while not all(write.done() for write in writes):
                    started = loop.time()
                    for client, name, namespace in (
                        (node, "n1", "kube-node-lease"),
                        (scheduler, "kube-scheduler", "kube-system"),
                    ):
                        found = await client.get(LEASES, name, namespace)
                        found["spec"]["holderIdentity"] = str(len(renewals))
                        await client.update(LEASES, found)
                    renewals.append(loop.time() - started)
                    await asyncio.sleep(0.01)
                codes = [write.result() for write in writes]
        assert codes.count(429) > 1000
        assert codes.count(200) > 100
        assert set(codes) == {200, 429}
        assert renewals
        assert max(renewals) < 2.0, renewals
        text = generate_latest(cluster.telemetry.registry).decode()
        refused = 'apiserver_flowcontrol_rejected_requests_total{flow_schema="global-default"'
        assert refused in text
        assert 'reason="queue-full"' in text


async def test_users_of_one_level_share_its_seats(running: Any, tmp_path: Any) -> None:
    """Who sends little does not wait for who sends much."""
    async with running(store=await SqliteStore.open(tmp_path / "store.db")) as cluster, cluster.client() as admin:
        await allow(admin, "elephant", "mouse")
        queuing = {"queues": 64, "handSize": 1, "queueLengthLimit": 1000}
        await level(
            admin,
            "narrow",
            ["elephant", "mouse"],
            {
                "nominalConcurrencyShares": 1,
                "borrowingLimitPercent": 0,
                "limitResponse": {"type": "Queue", "queuing": queuing},
            },
        )
        finished: list[str] = []
        async with (
            ExchangeClient(cluster.channel("elephant")) as big,
            ExchangeClient(cluster.channel("mouse")) as small,
        ):
            await asyncio.gather(outcome(big.call(get())), outcome(small.call(get())))  # connected

            async def write(client: ExchangeClient, name: str, who: str) -> None:
                assert await outcome(client.call(create(name))) == 200
                finished.append(who)

            flow = cluster.server.flow
            queues = flow.levels["narrow"].queues
            queues.use(1000)  # all there are and more, until everybody waits; both have begun to before many do
            async with asyncio.TaskGroup() as tasks:
                for client, who, many in ((big, "first", 1), (small, "mouse", 1), (big, "e", 299), (small, "mouse", 4)):
                    before = queues.waiting
                    for number in range(many):
                        tasks.create_task(write(client, f"{who}{before + number}", who))
                    while queues.waiting < before + many:
                        await asyncio.sleep(0.001)
                queues.give(1000)
                flow.adjust()
        last = max(index for index, who in enumerate(finished) if who == "mouse")
        assert last < 100, last


async def test_a_level_without_seats_refuses_after_a_quarter_of_the_deadline(running: Any) -> None:
    async with running() as cluster, cluster.client() as admin:
        await allow(admin, "prisoner")
        queuing = {"queues": 2, "handSize": 1, "queueLengthLimit": 1}
        limited = {"nominalConcurrencyShares": 0, "limitResponse": {"type": "Queue", "queuing": queuing}}
        await level(admin, "jail", ["prisoner"], limited)
        loop = asyncio.get_running_loop()
        async with ExchangeClient(cluster.channel("prisoner")) as prisoner:
            started = loop.time()
            codes = await asyncio.gather(*(outcome(prisoner.call(get(), timeout=1.2)) for _ in range(2)))
            assert codes == [429, 429]  # one waited, the other found the queue full
            assert 0.25 <= loop.time() - started < 0.9
            with pytest.raises(StatusError, match=r"Too many requests, please try again later\.") as refusal:
                await prisoner.call(get(), timeout=0.4)
            assert refusal.value.reason == "TooManyRequests"
            assert refusal.value.details == {"retryAfterSeconds": 1}
            waiting = asyncio.create_task(outcome(prisoner.call(get(), timeout=20)))
            await asyncio.sleep(0.05)
            found = await admin.get(LEVELS, "jail")
            found["spec"]["limited"]["nominalConcurrencyShares"] = 10
            await admin.update(LEVELS, found)
            assert await waiting == 200


async def test_a_call_that_is_given_up_leaves_its_queue(running: Any) -> None:
    async with running() as cluster, cluster.client() as admin:
        await allow(admin, "prisoner")
        queuing = {"queues": 1, "handSize": 1, "queueLengthLimit": 1}
        limited = {"nominalConcurrencyShares": 0, "limitResponse": {"type": "Queue", "queuing": queuing}}
        await level(admin, "jail", ["prisoner"], limited)
        async with ExchangeClient(cluster.channel("prisoner")) as prisoner:
            queues = cluster.server.flow.levels["jail"].queues
            for _ in range(3):
                task = asyncio.create_task(prisoner.call(get()))
                while not queues.waiting:
                    await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                while queues.waiting:
                    await asyncio.sleep(0.01)
            assert not cluster.server.flow.held


async def test_a_watch_that_stands_holds_no_seat(running: Any) -> None:
    async with running() as cluster, cluster.client() as admin:
        await allow(admin, "watcher")
        limited = {"nominalConcurrencyShares": 1, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
        await level(admin, "few", ["watcher"], limited)
        state = cluster.server.flow.levels["few"]
        state.queues.limit = 1
        async with ExchangeClient(cluster.channel("watcher")) as client:
            streams = []
            for _ in range(3):
                request = pb.WatchRequest(resource=pb.Resource(version="v1", resource="namespaces"))
                stream = client.stream(request)
                await anext(stream)  # stands
                await anext(stream)  # what there is
                streams.append(stream)
                while state.queues.in_use:
                    await asyncio.sleep(0.01)
            assert await outcome(client.call(get())) == 200
            for stream in streams:
                await stream.aclose()


async def test_hard_limits_without_priority_and_fairness(running: Any, tmp_path: Any) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    settings = {"store": store, "priority_and_fairness": False, "max_mutating_requests_inflight": 1}
    async with running(**settings) as cluster, cluster.client() as admin:
        await allow(admin, "mallory")
        async with (
            ExchangeClient(cluster.channel("mallory")) as client,
            ExchangeClient(cluster.channel("admin", "system:masters")) as master,
        ):
            codes = await asyncio.gather(*(outcome(client.call(create(f"a{i}"))) for i in range(50)))
            assert set(codes) == {200, 429}
            codes = await asyncio.gather(*(outcome(master.call(create(f"b{i}"))) for i in range(50)))
            assert set(codes) == {200}
            assert await outcome(client.call(get())) == 200


async def test_default_objects_are_brought_back(running: Any, tmp_path: Any) -> None:
    """Mandatory ones whatever was done to them, suggested ones unless somebody has taken them over."""
    path = tmp_path / "store.db"
    async with running(path) as cluster, cluster.client() as admin:
        for name, annotation in (("catch-all", "false"), ("service-accounts", "false"), ("global-default", "true")):
            found = await admin.get(SCHEMAS, name)
            found["metadata"]["annotations"]["apf.kubernetes.io/autoupdate-spec"] = annotation
            if name != "catch-all":
                found["spec"]["matchingPrecedence"] = 4321
            await admin.update(SCHEMAS, found)
        await admin.delete(SCHEMAS, "system-nodes")
        await admin.create(NAMESPACES, {"metadata": {"name": "here"}})
        await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "here"}})
    async with running(path) as cluster, cluster.client() as admin:
        found = {name: await admin.get(SCHEMAS, name) for name in ("service-accounts", "global-default")}
        assert [obj["spec"]["matchingPrecedence"] for obj in found.values()] == [4321, 9900]
        assert (await admin.get(SCHEMAS, "system-nodes"))["spec"]["matchingPrecedence"] == 500
        catch_all = await admin.get(SCHEMAS, "catch-all")
        assert catch_all["metadata"]["annotations"]["apf.kubernetes.io/autoupdate-spec"] == "true"


def keep_the_loop() -> None:
    """What a handler that computes too long does."""
    time.sleep(0.12)


async def test_a_loop_that_is_behind_leaves_fewer_seats_to_workloads(running: Any) -> None:
    async with running() as cluster:
        levels = cluster.server.flow.levels
        before = {name: state.queues.limit for name, state in levels.items()}
        levels["workload-low"].queues.use(20)  # busy
        try:
            for _ in range(40):
                await asyncio.sleep(0.02)
                keep_the_loop()
            pressed = {name: state.queues.limit for name, state in levels.items()}
            assert pressed["workload-low"] < before["workload-low"] / 2
            assert pressed["node-high"] == before["node-high"]
        finally:
            levels["workload-low"].queues.give(20)
        for _ in range(600):
            if cluster.server.flow.share == 1.0:
                break
            await asyncio.sleep(0.02)
        assert cluster.server.flow.share == 1.0
