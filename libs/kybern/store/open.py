"""From the `--store` flag to a store: `sqlite:PATH`, `etcd://HOST:PORT,HOST:PORT`, or these with `/ROOT` of keys."""

from pathlib import Path
from typing import TYPE_CHECKING

from kybern.store.contract import Store
from kybern.store.errors import StoreUnusable
from kybern.store.prefixed import ROOT, PrefixedStore
from kybern.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from kybern.store.etcd import Tls


async def open_store(spec: str, *, threaded: bool = True, tls: "Tls | None" = None, timeout: float = 5.0) -> Store:
    """The store that the flag names; `timeout` is how long etcd may take for an answer.

    Raises StoreUnusable or StoreUnavailable with a sentence that says what to do."""
    scheme, _, rest = spec.partition(":")
    if scheme == "sqlite" and rest:
        return await SqliteStore.open(rest if rest == ":memory:" else Path(rest), threaded=threaded)
    if scheme == "etcd" and rest.startswith("//"):
        members, _, root = rest[2:].rstrip("/").partition("/")
        endpoints = [endpoint for endpoint in members.split(",") if endpoint]
        for endpoint in endpoints:
            host, colon, port = endpoint.rpartition(":")
            if not (host and colon and port.isdigit()):
                raise StoreUnusable(f"--store {spec}: {endpoint!r} is not HOST:PORT")
        if endpoints:
            from kybern.store.etcd import EtcdStore  # its client is a large import that SQLite does without

            store = await EtcdStore.open(endpoints, tls=tls, timeout=timeout)
            return PrefixedStore(store, f"/{root}") if root and f"/{root}" != ROOT else store
    raise StoreUnusable(f"--store {spec}: expected sqlite:PATH or etcd://HOST:PORT[,HOST:PORT...][/ROOT]")
