"""Several apiservers on one etcd cluster: what one writes the others read, watch and build upon."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    EVENTS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    RESOURCE_QUOTAS,
    SERVICES,
    Resource,
)
from kybern.kube.status import StatusError
from kybern.store.contract import Delete, Put
from kybern.store.errors import StoreUnavailable
from kybern.store.open import open_store
from kybern.testing.etcd import Etcd, binary, clusters

IP_ADDRESSES = Resource("networking.k8s.io", "v1", "ipaddresses", "IPAddress", False)
MakeEtcd = Callable[..., list[Etcd]]


@pytest.fixture
def make_etcd(tmp_path: Path) -> Iterator[MakeEtcd]:
    if not binary():
        pytest.skip("needs etcd (apt-get install etcd-server)")
    with clusters(tmp_path) as make:
        yield make


def flag(members: list[Etcd]) -> str:
    """What --store says of a cluster."""
    return "etcd://" + ",".join(member.client for member in members)


async def ready(spec: str) -> str:
    """The same, once the cluster answers."""
    async with asyncio.timeout(30):
        while True:
            try:
                await (await open_store(spec)).close()
                return spec
            except StoreUnavailable:
                await asyncio.sleep(0.1)


@pytest.fixture
async def etcd(make_etcd: MakeEtcd) -> str:
    return await ready(flag(make_etcd()))


@pytest.fixture
async def three(etcd: str, running: Any) -> AsyncIterator[list[Any]]:
    """Three apiservers on one etcd, with few addresses and the same random numbers."""
    async with AsyncExitStack() as stack:
        settings = {"service_cidr": "10.96.0.0/25"}
        yield [await stack.enter_async_context(running(store=await open_store(etcd), **settings)) for _ in range(3)]


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}


async def outcome(awaitable: Any) -> Any:
    """The result, or the StatusError."""
    try:
        return await awaitable
    except StatusError as error:
        return error


async def test_apiservers_are_one(three: list[Any]) -> None:
    a, b = three[0].client(), three[1].client()
    version = (await b.list(CONFIG_MAPS, "default")).resource_version
    watch = b.watch(CONFIG_MAPS, "default", resource_version=version)
    made = await a.create(CONFIG_MAPS, config_map("x"))
    assert await b.get(CONFIG_MAPS, "x", "default") == made
    assert [item["metadata"]["name"] for item in (await b.list(CONFIG_MAPS, "default")).items] == ["x"]
    seen: list[Any] = []
    async with asyncio.timeout(5):
        while not seen:
            seen = await anext(watch)
    assert seen[0].object == made
    await watch.aclose()
    patches = ((a, b)[n % 2].patch(CONFIG_MAPS, "x", "default", patch={"data": {f"k{n}": "v"}}) for n in range(20))
    await asyncio.gather(*patches)
    assert len((await a.get(CONFIG_MAPS, "x", "default"))["data"]) == 20


async def test_of_two_updates_of_one_version_one_conflicts(three: list[Any]) -> None:
    clients = [cluster.client() for cluster in three]
    made = await clients[0].create(CONFIG_MAPS, config_map("x"))
    updates = [client.update(CONFIG_MAPS, {**made, "data": {"by": str(n)}}) for n, client in enumerate(clients)]
    outcomes = await asyncio.gather(*map(outcome, updates))
    assert sorted(o.reason if isinstance(o, StatusError) else "" for o in outcomes) == ["", "Conflict", "Conflict"]
    creates = [client.create(CONFIG_MAPS, config_map("new")) for client in clients]
    outcomes = await asyncio.gather(*map(outcome, creates))
    assert sorted(o.reason if isinstance(o, StatusError) else "" for o in outcomes) == ["", *["AlreadyExists"] * 2]
    generated = {"metadata": {"generateName": "g-", "namespace": "default"}}
    made_names = await asyncio.gather(*(c.create(CONFIG_MAPS, generated) for c in clients for _ in range(10)))
    assert len({one["metadata"]["name"] for one in made_names}) == 30


async def test_no_address_or_port_is_given_out_twice(three: list[Any]) -> None:
    """All three choose by the same random numbers: without claims they would choose the same."""
    clients = [cluster.client() for cluster in three]
    made = await asyncio.gather(
        *(c.create(SERVICES, service(f"s{n}-{i}", type="NodePort")) for i in range(20) for n, c in enumerate(clients))
    )
    addresses = [one["spec"]["clusterIP"] for one in made]
    assert len(set(addresses)) == 60
    assert len({one["spec"]["ports"][0]["nodePort"] for one in made}) == 60
    listed = (await clients[0].list(IP_ADDRESSES)).items
    assert {one["metadata"]["name"] for one in listed} == {*addresses, "10.96.0.1"}
    owner = next(one for one in listed if one["metadata"]["name"] == made[0]["spec"]["clusterIP"])
    assert owner["spec"]["parentRef"] == {"resource": "services", "namespace": "default", "name": "s0-0"}
    assert owner["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"] == "ipallocator.k8s.io"
    await asyncio.gather(*(clients[1].delete(SERVICES, one["metadata"]["name"], "default") for one in made))
    assert [one["metadata"]["name"] for one in (await clients[2].list(IP_ADDRESSES)).items] == ["10.96.0.1"]
    port = made[0]["spec"]["ports"][0]["nodePort"]
    again = service("again", type="NodePort", clusterIP=addresses[0], ports=[{"port": 80, "nodePort": port}])
    assert (await clients[2].create(SERVICES, again))["spec"]["clusterIP"] == addresses[0]


async def test_of_those_who_ask_for_one_address_one_gets_it(three: list[Any]) -> None:
    clients = [cluster.client() for cluster in three]
    wanted = service("", clusterIP="10.96.0.77", type="NodePort", ports=[{"port": 80, "nodePort": 30077}])
    creates = [
        client.create(SERVICES, {**wanted, "metadata": {"name": f"s{n}", "namespace": "default"}})
        for n, client in enumerate(clients)
    ]
    outcomes = await asyncio.gather(*map(outcome, creates))
    errors = [one for one in outcomes if isinstance(one, StatusError)]
    assert [error.code for error in errors] == [422, 422]
    assert all("provided IP is already allocated" in error.message for error in errors)
    headless = await clients[0].create(SERVICES, service("plain"))
    updates = [client.patch(SERVICES, "plain", "default", patch={"spec": {"type": "NodePort"}}) for client in clients]
    ports = {one["spec"]["ports"][0]["nodePort"] for one in await asyncio.gather(*updates)}
    assert len(ports) == 1
    assert headless["spec"]["clusterIP"] != "10.96.0.77"


async def test_a_quota_holds_whoever_is_asked(three: list[Any]) -> None:
    clients = [cluster.client() for cluster in three]
    body = {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": {"configmaps": "7"}}}
    made = await clients[0].create(RESOURCE_QUOTAS, body)
    made["status"] = {"hard": {"configmaps": "7"}, "used": {"configmaps": "0"}}
    await clients[0].update_status(RESOURCE_QUOTAS, made)
    for client in clients:  # a read is as new as every write before it, and so is admission from here on
        assert (await client.get(RESOURCE_QUOTAS, "q", "default"))["status"]["used"] == {"configmaps": "0"}
    creates = [c.create(CONFIG_MAPS, config_map(f"c{n}-{i}")) for i in range(6) for n, c in enumerate(clients)]
    outcomes = await asyncio.gather(*map(outcome, creates))
    kept = [one for one in outcomes if not isinstance(one, StatusError)]
    assert 0 < len(kept) <= 7
    assert {one.reason for one in outcomes if isinstance(one, StatusError)} <= {"Forbidden", "Conflict"}
    for n in range(10):  # what lost a race may be tried again
        await outcome(clients[n % 3].create(CONFIG_MAPS, config_map(f"more-{n}")))
    assert len((await clients[1].list(CONFIG_MAPS, "default")).items) == 7


async def test_names_of_custom_resources_are_given_out_once(three: list[Any]) -> None:
    clients = [cluster.client() for cluster in three]

    def definition(plural: str) -> dict[str, Any]:
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        names = {"plural": plural, "singular": "tab", "kind": "Tab", "shortNames": ["tb"]}
        spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
        return {"metadata": {"name": f"{plural}.example.com"}, "spec": spec}

    plurals = ("tabs", "tabbies", "tabulae")
    creates = [
        client.create(CUSTOM_RESOURCE_DEFINITIONS, definition(plural))
        for client, plural in zip(clients, plurals, strict=True)
    ]
    await asyncio.gather(*creates)

    async def accepted() -> list[str]:
        found = (await clients[0].list(CUSTOM_RESOURCE_DEFINITIONS)).items
        states = {
            one["metadata"]["name"]: {c["type"]: c["status"] for c in (one.get("status") or {}).get("conditions") or ()}
            for one in found
        }
        if not all("NamesAccepted" in state for state in states.values()):
            return []
        return [name for name, state in states.items() if state["NamesAccepted"] == "True"]

    async with asyncio.timeout(20):
        while not (winners := await accepted()):
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    assert await accepted() == winners
    assert len(winners) == 1
    tabs = Resource("example.com", "v1", winners[0].partition(".")[0], "Tab")
    async with asyncio.timeout(20):
        for client in clients:
            while isinstance(await outcome(client.list(tabs, "default")), StatusError):
                await asyncio.sleep(0.1)
    made = await clients[2].create(tabs, {"metadata": {"name": "t", "namespace": "default"}})
    assert await clients[1].get(tabs, "t", "default") == made


async def test_claims_are_repaired(three: list[Any], etcd: str) -> None:
    client, server = three[0].client(), three[0].server
    made = await client.create(SERVICES, service("s", type="NodePort"))
    address, port = made["spec"]["clusterIP"], made["spec"]["ports"][0]["nodePort"]
    await client.delete(IP_ADDRESSES, address)
    assert (await outcome(client.create(SERVICES, service("t", clusterIP=address)))).code == 422
    async with asyncio.timeout(5):
        while isinstance(await outcome(client.get(IP_ADDRESSES, address)), StatusError):
            await asyncio.sleep(0.1)
    claim, orphan = f"/registry/ranges/servicenodeports/TCP/{port}", "/registry/ranges/servicenodeports/TCP/31999"
    store = server.feed.store
    await store.txn([Delete(claim), Put(orphan, b'{"namespace":"default","name":"gone"}')])
    await server.claim_repair.repair()
    assert (await store.get(claim))[0] is not None
    assert (await store.get(orphan))[0] is None


async def test_reads_do_not_stall_when_somebody_writes_elsewhere(three: list[Any], etcd: str) -> None:
    client = three[0].client()
    stranger = await open_store(etcd)
    loop = asyncio.get_running_loop()
    slowest = 0.0
    for n in range(5):
        await stranger.txn([Put("/elsewhere", b"%d" % n)])
        started = loop.time()
        await client.list(CONFIG_MAPS, "default")
        slowest = max(slowest, loop.time() - started)
    await stranger.close()
    assert slowest < 1.0


async def test_one_compacts_and_the_others_do_not_mind(three: list[Any]) -> None:
    from kybern.apiserver import service as apiserver

    client = three[0].client()
    await client.create(CONFIG_MAPS, config_map("x"))
    revision = three[0].server.feed.revision
    outcomes = await asyncio.gather(
        *(apiserver.compact_once(cluster.server, cluster.server.feed.store, revision) for cluster in three)
    )
    assert sorted(outcomes) == [False, False, True]
    error = await outcome(client.list(CONFIG_MAPS, resource_version=str(revision - 1), resource_version_match="Exact"))
    assert (error.code, error.reason) == (410, "Expired")


async def test_history_compacted_while_the_watch_was_broken(make_etcd: MakeEtcd, running: Any) -> None:
    """The caches load again; who watches is told to list again (410) rather than left with a gap."""
    (member,) = make_etcd()
    spec = await ready(flag([member]))
    stranger = await open_store(spec)
    async with running(store=await open_store(spec)) as cluster:
        client, feed = cluster.client(), cluster.server.feed
        made = await client.create(CONFIG_MAPS, config_map("before"))
        version = made["metadata"]["resourceVersion"]
        for n in range(30):  # the store moves on, the watch below /registry/ hears nothing of it
            await stranger.txn([Put("/elsewhere", b"%d" % n)])
        revision = await stranger.revision()
        await stranger.compact(revision)
        member.kill()
        member.start()
        await write_surely(client, "after")
        async with asyncio.timeout(20):
            while feed.revision < revision:
                await asyncio.sleep(0.05)
        names = {item["metadata"]["name"] for item in (await client.list(CONFIG_MAPS, "default")).items}
        assert names >= {"before", "after"}
        watch = client.watch(CONFIG_MAPS, "default", resource_version=version)
        error = await outcome(anext(watch))
        assert (error.code, error.reason) == (410, "Expired")
    await stranger.close()


async def test_events_end_by_themselves_whoever_wrote_them(three: list[Any]) -> None:
    """Leases are the store's: an Event goes although the apiserver that granted its lease has gone."""
    store = three[0].server.feed.store
    lease = await store.lease_grant(1.0)
    body = b'{"kind":"Event","apiVersion":"v1","metadata":{"name":"e","namespace":"default"}}'
    await store.txn([Put("/registry/events/default/e", body, None, lease)])
    clients = [cluster.client() for cluster in three]
    for client in clients:
        assert [one["metadata"]["name"] for one in (await client.list(EVENTS, "default")).items] == ["e"]
    async with asyncio.timeout(15):
        for client in clients:
            while (await client.list(EVENTS, "default")).items:
                await asyncio.sleep(0.2)


async def write_surely(client: Client, name: str) -> bool:
    """Create once, through outages; whether it was acknowledged at the first attempt."""
    first = True
    async with asyncio.timeout(60):
        while True:
            made = await outcome(client.create(CONFIG_MAPS, config_map(name)))
            if not isinstance(made, StatusError) or made.reason == "AlreadyExists":
                return first
            assert made.reason in ("ServerTimeout", "Timeout"), made
            first = False
            await asyncio.sleep(0.1)


async def test_a_member_killed_under_load_loses_nothing(make_etcd: MakeEtcd, running: Any) -> None:
    """Three members, two apiservers; one member dies while both write; a watch sees everything once."""
    members = make_etcd(3)
    spec = await ready(flag(members))
    async with (
        running(store=await open_store(spec)) as one,
        running(store=await open_store(spec)) as other,
    ):
        clients = [one.client(), other.client()]
        version = (await clients[0].list(CONFIG_MAPS, "default")).resource_version
        seen: list[str] = []

        async def follow() -> None:
            async for events in clients[1].watch(CONFIG_MAPS, "default", resource_version=version):
                seen.extend(event.object["metadata"]["name"] for event in events)

        watching = asyncio.create_task(follow())
        acknowledged: list[bool] = []

        async def write(worker: int) -> None:
            acknowledged.extend([await write_surely(clients[worker % 2], f"w{worker}-{n}") for n in range(30)])

        async with asyncio.TaskGroup() as tasks:
            for worker in range(8):
                tasks.create_task(write(worker))
            await asyncio.sleep(0.2)
            members[0].kill()
        names = {f"w{worker}-{n}" for worker in range(8) for n in range(30)}
        listed = {item["metadata"]["name"] for item in (await clients[0].list(CONFIG_MAPS, "default")).items}
        assert listed >= names
        async with asyncio.timeout(20):
            while len(seen) < len(names):
                await asyncio.sleep(0.05)
        assert len(seen) == len(set(seen))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert acknowledged.count(True) > 200


async def test_etcd_away_and_back(make_etcd: MakeEtcd, running: Any) -> None:
    """Clear errors in time, then recovery: nothing acknowledged is lost, watches go on."""
    members = make_etcd()
    spec = await ready(flag(members))
    store = await open_store(spec, timeout=1.0)
    async with running(store=store) as cluster:
        client = cluster.client()
        await client.create(CONFIG_MAPS, config_map("before"))
        version = (await client.list(CONFIG_MAPS, "default")).resource_version
        seen: list[str] = []

        async def follow() -> None:
            async for events in client.watch(CONFIG_MAPS, "default", resource_version=version):
                seen.extend(event.object["metadata"]["name"] for event in events)

        watching = asyncio.create_task(follow())
        members[0].pause()
        error = await outcome(client.get(CONFIG_MAPS, "before", "default"))
        assert (error.code, error.reason) == (500, "ServerTimeout")
        assert error.message.startswith("The get operation against configmaps could not be completed at this time")
        error = await outcome(client.create(CONFIG_MAPS, config_map("maybe")))
        assert (error.code, error.reason) == (504, "Timeout")
        members[0].kill()
        error = await outcome(client.create(CONFIG_MAPS, config_map("never")))
        assert (error.code, error.reason) == (500, "ServerTimeout")
        assert "no etcd member answers" in error.message
        assert (await client.list(CONFIG_MAPS, "default", resource_version="0")).items  # the cache still answers
        members[0].start()
        await write_surely(client, "after")
        names = {item["metadata"]["name"] for item in (await client.list(CONFIG_MAPS, "default")).items}
        assert names >= {"before", "after"}
        assert "never" not in names
        async with asyncio.timeout(20):
            while "after" not in seen:
                await asyncio.sleep(0.05)
        assert len(seen) == len(set(seen))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_evictions_at_once_do_not_conflict(three: list[Any]) -> None:
    clients = [one.client() for one in three]
    names = [f"p{number}" for number in range(9)]
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
    made = await clients[0].create(
        POD_DISRUPTION_BUDGETS, {"metadata": {"name": "b", "namespace": "default"}, "spec": spec}
    )
    status = {"disruptionsAllowed": 9, "currentHealthy": 9, "desiredHealthy": 1, "expectedPods": 9}
    status["observedGeneration"] = made["metadata"]["generation"]
    await clients[0].update_status(POD_DISRUPTION_BUDGETS, {**made, "status": status})
    for name in names:
        metadata = {"name": name, "namespace": "default", "labels": {"app": "x"}}
        containers = [{"name": "c", "image": "i"}]
        pod = await clients[0].create(PODS, {"metadata": metadata, "spec": {"containers": containers}})
        ready = [{"type": "Ready", "status": "True"}]
        await clients[0].update_status(PODS, {**pod, "status": {"phase": "Running", "conditions": ready}})
    for client in clients:
        await client.get(PODS, names[-1], "default")

    async def evict(number: int) -> Any:
        eviction = {"metadata": {"name": names[number], "namespace": "default"}}
        client = clients[number % len(clients)]
        return await outcome(client.create_subresource(PODS, "eviction", names[number], eviction, "default"))

    found = await asyncio.gather(*map(evict, range(len(names))))
    assert [str(one) for one in found if isinstance(one, StatusError)] == []
    after = (await clients[0].get(POD_DISRUPTION_BUDGETS, "b", "default"))["status"]
    assert (after["disruptionsAllowed"], sorted(after["disruptedPods"])) == (0, names)
