"""The members of an etcd cluster, and calls that move on to the next member when one is gone.

The messages and stubs are aetcd's; the channels are ours, because aetcd's client knows one endpoint, no TLS and no
paging. A call is sent only to a member whose connection stands. Reads are tried again elsewhere; a write whose answer
was lost is not, since it may have happened: OutcomeUnknown tells the caller.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio
from aetcd import rpc

from kybern.store.errors import (
    CompactedError,
    FutureRevisionError,
    LeaseNotFoundError,
    OutcomeUnknown,
    StoreError,
    StoreFull,
    StoreUnavailable,
    TooLargeError,
)
from kybern.store.etcd.tls import Tls
from kybern.store.etcd.unary import UnaryConnection, connect

T = TypeVar("T")
HAS_LEADER = (("hasleader", "true"),)
"""Asks a member without a quorum to refuse rather than to hang or answer from the past."""
NOT_DONE = ("failed to connect to all addresses", "etcdserver: no leader")
"""Answers after which even a write may be sent again: it was not carried out."""
PAUSE = 0.1
AGAIN = 1.0  # seconds until a connection for unary calls is tried once more
FLAGS = "--store, --etcd-cafile, --etcd-certfile and --etcd-keyfile"
OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]


class Refused(StoreUnavailable):
    """The cluster is there and lets us not in: no other member will."""


class Member:
    """One endpoint's channel and stubs, and a connection for the calls that are many."""

    def __init__(self, endpoint: str, tls: Tls | None, timeout: float) -> None:
        self.endpoint = endpoint
        self._timeout = timeout
        self._tls = tls.context() if tls is not None else None
        self._unary: UnaryConnection | None = None
        self._next_attempt = 0.0
        if tls is None:
            self.channel = grpc.aio.insecure_channel(endpoint, options=OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(tls.ca, tls.key, tls.cert)
            self.channel = grpc.aio.secure_channel(endpoint, credentials, options=OPTIONS)
        self.kv: Any = rpc.KVStub(self.channel)
        self.lease: Any = rpc.LeaseStub(self.channel)
        self.watch: Any = rpc.WatchStub(self.channel)
        self.maintenance: Any = rpc.MaintenanceStub(self.channel)

    async def txn(self, request: Any) -> Any:
        """A transaction."""
        return await self._short("/etcdserverpb.KV/Txn", request, rpc.TxnResponse, self.kv.Txn)

    async def range_one(self, request: Any) -> Any:
        """A range of one key at most."""
        return await self._short("/etcdserverpb.KV/Range", request, rpc.RangeResponse, self.kv.Range)

    async def range(self, request: Any) -> Any:
        """Any range."""
        return await self.kv.Range(request, timeout=self._timeout, metadata=HAS_LEADER)

    async def _short(self, method: str, request: Any, response: Any, stub: Any) -> Any:
        unary = self._unary
        if unary is None or unary.ended:
            unary = await self._connect()
        if unary is not None:
            data = request.SerializeToString()
            if unary.takes(len(data)):
                return response.FromString(await unary.call(method, data))
        return await stub(request, timeout=self._timeout, metadata=HAS_LEADER)

    async def _connect(self) -> UnaryConnection | None:
        """Another connection for unary calls, unless that has just been tried."""
        now = asyncio.get_running_loop().time()
        if now < self._next_attempt:
            return None
        self._next_attempt = now + AGAIN
        try:
            async with asyncio.timeout(AGAIN / 2):
                self._unary = await connect(self.endpoint, self._tls, self._timeout)
        except OSError:  # TimeoutError is one
            return None
        return self._unary

    async def close(self) -> None:
        """Close channel and connection."""
        self._next_attempt = math.inf
        if self._unary is not None:
            self._unary.close()
        await self.channel.close(None)

    @property
    def ready(self) -> bool:
        """Whether its connection stands."""
        return self.channel.get_state() is grpc.ChannelConnectivity.READY

    async def connected(self) -> bool:
        """Connect if need be; False if the endpoint refuses."""
        state = self.channel.get_state(try_to_connect=True)
        while state not in (
            grpc.ChannelConnectivity.READY,
            grpc.ChannelConnectivity.TRANSIENT_FAILURE,
            grpc.ChannelConnectivity.SHUTDOWN,
        ):
            await self.channel.wait_for_state_change(state)
            state = self.channel.get_state(try_to_connect=True)
        return state is grpc.ChannelConnectivity.READY

    async def reason(self) -> str:
        """Why there is no connection, in as few words as the channel has."""
        try:
            await self.maintenance.Status(rpc.StatusRequest(), timeout=0.2)
        except grpc.aio.AioRpcError as e:
            if e.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return "no answer in time"
            if "TSI_DATA_CORRUPTED" in (e.details() or ""):  # how gRPC says that an alert came after the handshake
                return "it refuses our client certificate, or that there is none"
            return (e.details() or e.code().name).rpartition("last error: ")[2].rpartition(f"{self.endpoint}: ")[2]
        return "it answers just now"


class Cluster:
    """All members; one of them is in use."""

    def __init__(self, endpoints: Sequence[str], tls: Tls | None = None, timeout: float = 5.0) -> None:
        if not endpoints:
            raise ValueError("an etcd store needs at least one endpoint")
        self.timeout = timeout
        self.closed = False
        self._members = [Member(endpoint, tls, timeout) for endpoint in endpoints]
        self._used = 0

    async def member(self) -> Member:
        """A member with a standing connection. Raises StoreUnavailable when there is none within the timeout."""
        if not self.closed and self._members[self._used].ready:
            return self._members[self._used]
        try:
            async with asyncio.timeout(self.timeout):
                while True:
                    for _ in self._members:
                        if self.closed:
                            raise StoreUnavailable("the store is closed")
                        member = self._members[self._used]
                        try:
                            async with asyncio.timeout(self.timeout / len(self._members)):
                                if await member.connected():
                                    return member
                        except TimeoutError:
                            pass
                        self.leave(member)
                    await asyncio.sleep(PAUSE)
        except TimeoutError:
            reasons = await asyncio.gather(*(member.reason() for member in self._members))
            named = ", ".join(f"{m.endpoint}: {why}" for m, why in zip(self._members, reasons, strict=True))
            raise StoreUnavailable(f"no etcd member answers ({named}): start etcd or correct {FLAGS}") from None

    def leave(self, member: Member) -> None:
        """Use the next member from now on, unless somebody already moved on."""
        if self._members[self._used] is member:
            self._used = (self._used + 1) % len(self._members)

    async def call(self, request: Callable[[Member], Awaitable[T]], *, repeatable: bool) -> T:
        """Send to a member that is there. Raises StoreError, ValueError."""
        deadline = asyncio.get_running_loop().time() + self.timeout
        while True:
            member = await self.member()
            try:
                return await request(member)
            except grpc.aio.AioRpcError as e:
                if self.closed:
                    raise StoreUnavailable("the store is closed") from e
                error = translate(e, member.endpoint)
                if not isinstance(error, StoreUnavailable) or isinstance(error, StoreFull):
                    raise error from e
                self.leave(member)
                may_repeat = repeatable or any(words in str(error) for words in NOT_DONE)
                if not may_repeat:
                    raise OutcomeUnknown(str(error)) from e
                if self.closed or asyncio.get_running_loop().time() > deadline or isinstance(error, Refused):
                    raise error from e
                await asyncio.sleep(PAUSE)
            except (grpc.aio.UsageError, asyncio.CancelledError) as e:
                # Closing the channel cancels its calls: to the caller that is no cancellation of its own.
                task = asyncio.current_task()
                if self.closed and (task is None or not task.cancelling()):
                    raise StoreUnavailable("the store is closed") from e
                raise

    async def close(self) -> None:
        """Close all channels."""
        self.closed = True
        for member in self._members:
            await member.close()


def translate(error: grpc.aio.AioRpcError, endpoint: str) -> StoreError | ValueError:
    """etcd's error as the contract's; revisions and leases are filled in by who asked."""
    code, details = error.code(), error.details() or ""
    if "required revision has been compacted" in details:
        return CompactedError(0)
    if "is a future revision" in details:
        return FutureRevisionError(0, 0)
    if "lease not found" in details:
        return LeaseNotFoundError(0)
    if "database space exceeded" in details:
        return StoreFull(f"etcd {endpoint} is out of space: compact, defragment and disarm its NOSPACE alarm")
    if "request is too large" in details:
        return TooLargeError(details)
    if "received message larger than max" in details:  # Kubernetes' client does not even send it
        said = details.replace("grpc: received", "trying to send")
        return TooLargeError(f"rpc error: code = ResourceExhausted desc = {said}")
    if "larger than max" in details:
        return TooLargeError(details)
    if "too large" in details or "too many operations" in details:
        return ValueError(f"etcd {endpoint} refuses the request: {details}")
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED) or any(
        words in details for words in ("user name is empty", "permission denied", "invalid auth token")
    ):
        return Refused(
            f"etcd {endpoint} refuses this client ({details}): the user that the client certificate names needs the "
            "role to read and write below /registry/"
        )
    lost = code is grpc.StatusCode.UNAVAILABLE and any(words in details for words in ("Socket closed", "certificate"))
    hint = f": is it gone, or are {FLAGS} wrong?" if lost else ""
    return StoreUnavailable(f"etcd {endpoint}: {details or code.name} ({code.name}){hint}")
