"""From the apiserver's flags to its store: SQLite or etcd, with TLS to etcd and encryption at rest."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from kybern.apiserver.core import keys
from kybern.apiserver.storage.feed import Feed
from kybern.apiserver.storage.foreign import ForeignStore, beneath
from kybern.kube import schema
from kybern.kube.status import StatusError
from kybern.runtime.main import ServiceFailure
from kybern.store.contract import Store
from kybern.store.encryption import ConfigurationError, EncryptedStore, EncryptionConfig, read_config
from kybern.store.errors import StoreError
from kybern.store.open import open_store
from kybern.telemetry import Telemetry

LOOK = 1.0  # seconds between looks at the encryption configuration
CONFIG, RELOAD = "--encryption-provider-config", "--encryption-provider-config-automatic-reload"


def add_flags(parser: ArgumentParser) -> None:
    """The flags that say where and how objects are stored."""
    parser.add_argument("--store", required=True, help="sqlite:PATH or etcd://HOST:PORT[,HOST:PORT...][/ROOT]")
    parser.add_argument("--etcd-cafile", default="", metavar="FILE", help="CA of etcd's certificates: TLS to etcd")
    parser.add_argument("--etcd-certfile", default="", metavar="FILE", help="client certificate for etcd")
    parser.add_argument("--etcd-keyfile", default="", metavar="FILE", help="its key")
    parser.add_argument(CONFIG, default="", metavar="FILE", help="EncryptionConfiguration: encryption at rest")
    parser.add_argument(RELOAD, default="false", choices=["true", "false"], help="follow changes of that file")


async def open_storage(options: Namespace) -> Store:
    """Raises ServiceFailure with a sentence that says what to do."""
    config = read_configuration(options.encryption_provider_config) if options.encryption_provider_config else None
    store = await open_plain(options)
    read = EncryptedStore(store, config, classifier()) if config is not None else store
    return read if store.exclusive else ForeignStore(read)  # nobody else writes into the file of SQLite


async def open_plain(options: Namespace) -> Store:
    """The store itself: what is encrypted in it stays so. Raises ServiceFailure."""
    from kybern.store.etcd.tls import Tls  # light, unlike the client

    try:
        tls = Tls.read(options.etcd_cafile, options.etcd_certfile, options.etcd_keyfile)
        return await open_store(options.store, tls=tls)
    except (StoreError, OSError) as error:
        raise ServiceFailure(str(error)) from error


def classifier() -> "keys.Classify":
    """To which resource a key belongs."""
    return keys.classifier({(info.storage[0], info.resource) for info in schema.load().resources.values()})


def read_configuration(path: str) -> EncryptionConfig:
    """Raises ServiceFailure."""
    try:
        return read_config(Path(path).read_text())
    except (OSError, UnicodeDecodeError, ConfigurationError) as error:
        raise ServiceFailure(f"{CONFIG} {path}: {error}") from error


@asynccontextmanager
async def following(options: Namespace, store: Store, telemetry: Telemetry) -> AsyncIterator[Callable[[Feed], None]]:
    """Calls what it yields with the feed, and the encryption configuration is followed until the block ends."""
    path = options.encryption_provider_config
    reload = options.encryption_provider_config_automatic_reload == "true"
    async with asyncio.TaskGroup() as tasks:
        running: list[asyncio.Task[None]] = []

        def follow(feed: Feed) -> None:
            encrypted = beneath(store)
            if reload and isinstance(encrypted, EncryptedStore):
                running.append(tasks.create_task(follow_configuration(path, encrypted, feed, telemetry)))

        try:
            yield follow
        finally:
            for task in running:
                task.cancel()


async def follow_configuration(path: str, store: EncryptedStore, feed: Feed, telemetry: Telemetry) -> None:
    """Take up changes of the file; one that cannot be used is logged, and the former goes on."""
    log, before = telemetry.log, await asyncio.to_thread(_content, path)
    while True:
        await asyncio.sleep(LOOK)
        now = await asyncio.to_thread(_content, path)
        if now == before:
            continue
        before = now
        try:
            store.configure(read_configuration(path))
        except (ServiceFailure, ConfigurationError) as error:
            log.error("encryption configuration left as it was: %s", error)
            continue
        log.info("encryption configuration of %s taken up", path)
        try:
            await feed.read_again()
        except (StoreError, StatusError) as error:
            log.warning("objects that could not be read are not tried again: %s", error)


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        return repr(error).encode()
