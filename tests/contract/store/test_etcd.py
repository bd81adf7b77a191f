"""What only the etcd store promises: going on after lost connections and lost members, TLS; and the --store flag."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from aetcd import rpc

from kybern.apiserver.service import SERVICE
from kybern.apiserver.storage import opening
from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.runtime.main import ServiceFailure, build_parser
from kybern.store.contract import Event, Put
from kybern.store.errors import StoreFull, StoreUnavailable, StoreUnusable
from kybern.store.etcd import EtcdStore, Tls
from kybern.store.open import open_store
from kybern.store.sqlite import SqliteStore
from kybern.testing.etcd import Etcd

MakeEtcd = Callable[..., list[Etcd]]


async def open_when_ready(endpoints: list[str]) -> EtcdStore:
    """A client that can write: a cluster needs a moment to elect."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await EtcdStore.open(endpoints)
            except StoreUnavailable:
                await asyncio.sleep(0.1)


async def put_surely(store: EtcdStore, key: str, value: bytes) -> None:
    """Write once, through outages: after an unknown outcome look first."""
    async with asyncio.timeout(40):
        while True:
            try:
                result = await store.txn([Put(key, value, 0)])
                assert result.succeeded or (result.current[0] and result.current[0].value == value)
                return
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def collect(store: EtcdStore, start: int, count: int) -> list[Event]:
    """The next events, progress notes left out."""
    events: list[Event] = []
    watch = store.watch("/w/", start_revision=start)
    async for batch in watch:
        events += batch.events
        if len(events) >= count:
            break
    await watch.aclose()
    return events


async def test_a_watch_goes_on_after_etcd_was_killed(make_etcd: MakeEtcd) -> None:
    (member,) = make_etcd()
    store = await open_when_ready([member.client])
    watching = asyncio.create_task(collect(store, await store.revision() + 1, 60))
    for i in range(60):
        await put_surely(store, f"/w/{i:02}", b"%d" % i)
        if i in (20, 40):
            member.kill()
            await asyncio.sleep(0.2)
            member.start()
    async with asyncio.timeout(20):
        events = await watching
    assert [e.kv.key for e in events] == [f"/w/{i:02}" for i in range(60)]
    revisions = [e.kv.mod_revision for e in events]
    assert revisions == sorted(set(revisions))
    await store.close()


async def test_a_cluster_of_three_loses_one_member_and_no_event(make_etcd: MakeEtcd) -> None:
    members = make_etcd(3)
    store = await open_when_ready([member.client for member in members])
    watching = asyncio.create_task(collect(store, await store.revision() + 1, 60))
    for i in range(60):
        await put_surely(store, f"/w/{i:02}", b"%d" % i)
        if i == 30:
            members[0].kill()
    async with asyncio.timeout(30):
        events = await watching
    assert [e.kv.key for e in events] == [f"/w/{i:02}" for i in range(60)]
    assert (await store.range("/w/")).count == 60
    await store.close()


async def test_a_snapshot_that_is_cut_off_leaves_no_file(make_etcd: MakeEtcd, tmp_path: Path) -> None:
    (member,) = make_etcd()
    store = await open_when_ready([member.client])
    for i in range(40):
        await store.txn([Put(f"/large/{i}", bytes(1 << 20))])
    path = tmp_path / "copy"
    taking = asyncio.create_task(store.snapshot(path))
    partial = path.with_name("copy.partial")
    async with asyncio.timeout(10):
        while not partial.exists():
            await asyncio.sleep(0)
    member.kill()
    with pytest.raises(StoreUnavailable, match=member.client):
        await taking
    assert not path.exists()
    assert not partial.exists()
    await store.close()


async def test_a_dead_endpoint_is_passed_over(etcd: Etcd) -> None:
    store = await open_when_ready(["127.0.0.1:1", etcd.client])
    assert (await store.txn([Put("/a", b"")])).succeeded
    await store.close()


async def test_no_member_is_a_sentence_in_time() -> None:
    with pytest.raises(
        StoreUnavailable,
        match=r"no etcd member answers \(127.0.0.1:1: .*Connection refused.*\): start etcd or correct --store",
    ):
        await EtcdStore.open(["127.0.0.1:1"], timeout=0.5)


async def test_tls_both_ways(make_etcd: MakeEtcd, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ca = create_ca(tmp_path / "pki", now)
    day = timedelta(days=1)
    write_bundle(tmp_path / "server", issue(ca, Identity("etcd", (), ("localhost",), ("127.0.0.1",)), day, now))
    client = issue(ca, Identity("kube-apiserver"), day, now)
    stranger = issue(create_ca(tmp_path / "other", now), Identity("kube-apiserver"), day, now)
    flags = [f"--cert-file={tmp_path}/server/tls.crt", f"--key-file={tmp_path}/server/tls.key"]
    (member,) = make_etcd(1, [*flags, "--client-cert-auth", f"--trusted-ca-file={tmp_path}/pki/ca.crt"], tls=True)
    async with asyncio.timeout(20):
        while True:
            try:
                store = await EtcdStore.open([member.client], tls=Tls(client.ca, client.cert, client.key))
                break
            except StoreUnavailable:
                await asyncio.sleep(0.1)
    assert (await store.txn([Put("/a", b"")])).succeeded
    await store.close()
    for tls, words in (
        (None, "Socket closed|no answer|reset by peer|Stream removed|broken pipe"),
        (Tls(client.ca), "refuses our client certificate, or that there is none|Socket closed|reset by peer"),
        (Tls(stranger.ca, stranger.cert, stranger.key), "CERTIFICATE_VERIFY_FAILED"),
    ):
        with pytest.raises(StoreUnavailable, match=words) as caught:
            await EtcdStore.open([member.client], tls=tls, timeout=0.5)
        assert "--etcd-certfile" in str(caught.value)
    write_bundle(tmp_path / "client", client)
    options = build_parser(SERVICE).parse_args(
        ["--address=x", "--pki=x", f"--store=etcd://{member.client}", f"--etcd-cafile={tmp_path}/pki/ca.crt"]
        + [f"--etcd-{name}={tmp_path}/client/tls.{end}" for name, end in (("certfile", "crt"), ("keyfile", "key"))]
    )
    opened = await opening.open_storage(options)
    assert (await opened.get("/a"))[0] is not None
    await opened.close()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("", "c", ""), "--etcd-certfile needs --etcd-keyfile beside it"),
        (("", "", "k"), "--etcd-keyfile needs --etcd-certfile beside it"),
        (("none", "", ""), "No such file or directory: 'none'"),
    ],
)
async def test_half_a_pair_of_tls_files_is_a_sentence(files: tuple[str, str, str], words: str) -> None:
    names = [f"--etcd-{name}={file}" for name, file in zip(("cafile", "certfile", "keyfile"), files, strict=True)]
    options = build_parser(SERVICE).parse_args(["--address=x", "--pki=x", "--store=etcd://127.0.0.1:1", *names])
    with pytest.raises(ServiceFailure, match=words):
        await opening.open_storage(options)


async def test_a_client_that_etcd_does_not_let_in_is_told(make_etcd: MakeEtcd) -> None:
    (member,) = make_etcd()
    store = await open_when_ready([member.client])
    async with grpc.aio.insecure_channel(member.client) as channel:
        auth: Any = rpc.AuthStub(channel)
        await auth.UserAdd(rpc.AuthUserAddRequest(name="root", password="secret"))
        await auth.RoleAdd(rpc.AuthRoleAddRequest(name="root"))
        await auth.UserGrantRole(rpc.AuthUserGrantRoleRequest(user="root", role="root"))
        await auth.AuthEnable(rpc.AuthEnableRequest())
    with pytest.raises(StoreUnavailable, match=r"refuses this client .*: the user that the client certificate"):
        await store.txn([Put("/a", b"")])
    with pytest.raises(StoreUnavailable, match="refuses this client"):
        await store.get("/a")
    await store.close()


async def test_a_write_whose_answer_was_lost_is_recognized(make_etcd: MakeEtcd) -> None:
    """Three members; the one in use is stopped, not killed, in the middle of writes: the next one goes on."""
    members = make_etcd(3)
    store = await EtcdStore.open([(await ready_member(members)).client, *(m.client for m in members)], timeout=3.0)
    by_endpoint = {member.client: member for member in members}

    async def write(worker: int) -> None:
        for n in range(40):
            result = await store.txn([Put(f"/w/{worker}/{n}", b"%d" % n, 0)])
            assert result.succeeded

    tasks = [asyncio.create_task(write(worker)) for worker in range(8)]
    await asyncio.sleep(0.1)
    used = by_endpoint[(await store._cluster.member()).endpoint]
    used.pause()
    try:
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        used.resume()
    assert [outcome for outcome in outcomes if outcome is not None] == []
    found = await store.range("/w/")
    assert found.count == 320
    assert all(kv.version == 1 for kv in found.items)
    await store.close()


async def ready_member(members: list[Etcd]) -> Etcd:
    """The first member, once the cluster answers."""
    await (await open_when_ready([member.client for member in members])).close()
    return members[0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "expected sqlite:PATH or etcd://"),
        ("sqlite:", "expected sqlite:PATH"),
        ("mysql://x", "expected sqlite:PATH"),
        ("etcd://", "expected sqlite:PATH"),
        ("etcd://host", "'host' is not HOST:PORT"),
        ("etcd://a:1,b:x", "'b:x' is not HOST:PORT"),
    ],
)
async def test_a_wrong_store_flag_is_a_sentence(spec: str, message: str) -> None:
    with pytest.raises(StoreUnusable, match=message):
        await open_store(spec)


async def test_the_store_flag(etcd: Etcd, tmp_path: Path) -> None:
    await (await open_when_ready([etcd.client])).close()
    cases = [(f"sqlite:{tmp_path}/s.db", SqliteStore), ("sqlite::memory:", SqliteStore)]
    for spec, kind in [*cases, (f"etcd://127.0.0.1:1,{etcd.client}", EtcdStore)]:
        store = await open_store(spec)
        assert isinstance(store, kind)
        assert (await store.txn([Put("/flag", b"")])).succeeded
        await store.close()


async def test_no_space_is_a_clear_error_and_ends(make_etcd: MakeEtcd) -> None:
    """etcd raises its NOSPACE alarm: writes are refused, reads go on; after its care writes go on."""
    (member,) = make_etcd(1, ["--quota-backend-bytes=3000000"])
    store = await open_when_ready([member.client])

    async def fill() -> None:
        for n in range(100):
            await store.txn([Put("/big", b"%d" % n * 100_000)])

    with pytest.raises(StoreFull, match="is out of space: compact, defragment and disarm its NOSPACE alarm"):
        await fill()
    kept, revision = await store.get("/big")
    assert kept is not None
    assert kept.mod_revision == revision
    await store.compact(revision)
    async with grpc.aio.insecure_channel(member.client) as channel:
        maintenance: Any = rpc.MaintenanceStub(channel)
        await maintenance.Defragment(rpc.DefragmentRequest())
        alarm = rpc.AlarmRequest(
            action=rpc.AlarmRequest.AlarmAction.Value("DEACTIVATE"), alarm=rpc.AlarmType.Value("NOSPACE")
        )
        for one in (await maintenance.Alarm(rpc.AlarmRequest())).alarms:
            alarm.memberID = one.memberID
            await maintenance.Alarm(alarm)
    assert (await store.txn([Put("/small", b"x")])).succeeded
    await store.close()
