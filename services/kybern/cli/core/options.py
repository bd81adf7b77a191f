"""What a cluster on one host is made of: flags given now, over what an earlier `up` wrote down, over defaults."""

import ipaddress
import json
import os
import re
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

SQLITE, ETCD = "sqlite:", "etcd://"
FILES = ("etcd_cafile", "etcd_certfile", "etcd_keyfile", "encryption_provider_config")  # options that name a file
DECIDED = frozenset(  # flags of apiserver and gateway that follow from the others
    (
        "address",
        "pki",
        "apiserver",
        "store",
        "secure-port",
        "bind-address",
        "proxy-client",
        "service-account-key",
        "worker",
    )
)
SHORTEST_HOURS = 0.005  # 18 seconds: services look for new certificates every other second


class UsageError(Exception):
    """Something the user can put right; the message says how."""


class ClusterFailed(Exception):
    """The cluster did not come up; the message says what stood in its way."""


@dataclass(frozen=True)
class ClusterOptions:
    """The shape of a cluster, kept in `cluster.json` of its data dir. `None` nodes means: decide by what is here."""

    secure_port: int = 6443
    bind_address: str = ""  # "" is all addresses for real nodes, loopback for a simulated cluster
    nodes: int | None = None
    simulated_nodes: int = 0
    api_only: bool = False
    runtime_endpoint: str = ""
    store: str = ""  # "" is SQLite in the data dir
    etcd_cafile: str = ""
    etcd_certfile: str = ""
    etcd_keyfile: str = ""
    encryption_provider_config: str = ""
    otlp_endpoint: str = ""
    certificate_hours: float = 24.0
    apiserver_flags: tuple[str, ...] = ()  # NAME=VALUE, for the apiserver or, where they are its business, the gateway


def merge_options(saved: str, given: dict[str, Any]) -> ClusterOptions:
    """Options from a saved document ("" when there is none) and the flags given now (None means not given).

    Raises UsageError for a document that this version cannot read, or for a change of store.
    """
    options = ClusterOptions()
    if saved:
        try:
            options = replace(options, **known_members(json.loads(saved)))
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageError(
                f"cluster.json in the data dir cannot be read ({error}); mend it, or delete the data dir to start anew"
            ) from None
    flags = {name: value for name, value in given.items() if value is not None}
    flags |= {name: os.path.abspath(flags[name]) for name in FILES if flags.get(name)}
    if saved and flags.get("store", options.store) != options.store:
        raise UsageError(
            f"this data dir belongs to a cluster with the store {options.store or 'sqlite in the data dir'!s}; "
            "give the same --store, or another --data-dir"
        )
    return check_options(replace(options, **flags))


def known_members(document: dict[str, Any]) -> dict[str, Any]:
    """The members of a saved document that are options. Raises TypeError for a value of another type."""
    defaults = asdict(ClusterOptions(nodes=0))
    found = {}
    for name in defaults.keys() & document.keys():
        value = document[name]
        if name == "apiserver_flags" and isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = tuple(value)
        allowed = (int, float) if name == "certificate_hours" else type(defaults[name])
        is_one = isinstance(value, allowed) and isinstance(value, bool) is (allowed is bool)
        if not is_one and not (name == "nodes" and value is None):
            raise TypeError(f"{name} is {value!r}")
        found[name] = value
    return found


def check_options(options: ClusterOptions) -> ClusterOptions:
    """The same options, or UsageError."""
    if not 0 <= options.secure_port <= 65535:
        raise UsageError(f"--secure-port {options.secure_port} is not a port; give one between 1 and 65535")
    for flag, value in (("--nodes", options.nodes or 0), ("--simulated-nodes", options.simulated_nodes)):
        if value < 0:
            raise UsageError(f"{flag} cannot be negative")
    if options.api_only and (options.nodes or options.simulated_nodes):
        raise UsageError("--api-only has no nodes; leave out --nodes and --simulated-nodes, or give --no-api-only")
    if (options.nodes or 0) > 20:
        raise UsageError("--nodes above 20 does not fit on one host; use --simulated-nodes for scale")
    if options.certificate_hours < SHORTEST_HOURS:
        raise UsageError(
            f"--certificate-hours {options.certificate_hours:g} is too short; give {SHORTEST_HOURS} or more"
        )
    check_addresses(options)
    check_flags(options.apiserver_flags)
    if options.runtime_endpoint and (options.nodes or 0) > 1:
        raise UsageError("--runtime-endpoint serves one node; leave it out to give each node a containerd of its own")
    return options


def check_flags(flags: tuple[str, ...]) -> None:
    """Raises UsageError for what is no NAME=VALUE, or is decided by `kybern up` itself."""
    for flag in flags:
        name, equals, _ = flag.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise UsageError(f"--apiserver-flag {flag!r} is not NAME=VALUE, e.g. audit-log-path=/var/log/audit.log")
        if name in DECIDED:
            raise UsageError(f"--apiserver-flag {name} is set by `kybern up` itself")


def check_addresses(options: ClusterOptions) -> None:
    """Raises UsageError for an address that cannot be one."""
    if options.store and not is_store(options.store):
        raise UsageError(f"--store {options.store!r} is neither sqlite:PATH nor etcd://HOST:PORT[,HOST:PORT]")
    if options.runtime_endpoint and not options.runtime_endpoint.startswith("unix:///"):
        raise UsageError("--runtime-endpoint must be a unix:// address, e.g. unix:///run/containerd/containerd.sock")
    if options.bind_address:
        try:
            ipaddress.ip_address(options.bind_address)
        except ValueError:
            raise UsageError(f"--bind-address {options.bind_address!r} is not an IP address") from None
    if options.otlp_endpoint and not is_url(options.otlp_endpoint):
        raise UsageError(f"--otlp-endpoint {options.otlp_endpoint!r} is not http://HOST:PORT or https://HOST:PORT")


def is_store(text: str) -> bool:
    """sqlite:PATH, or etcd:// with members."""
    if text.startswith(SQLITE):
        return len(text) > len(SQLITE)
    members = text.removeprefix(ETCD).split(",")
    return text.startswith(ETCD) and all(is_url(f"http://{member}") for member in members)


def is_url(text: str) -> bool:
    """http or https with a host and a port."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        return False


def save_options(options: ClusterOptions) -> str:
    """The document for `cluster.json`."""
    return json.dumps(asdict(options), indent=2) + "\n"
