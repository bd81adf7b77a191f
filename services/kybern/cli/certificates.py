"""The certificates of a cluster on one host: made before the first start, rotated by the supervisor."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from kybern.cli.core.layout import Layout
from kybern.cli.core.options import ClusterOptions, UsageError
from kybern.cli.core.plan import FRONT_PROXY, FRONT_PROXY_CA, USERS, Node, Plan
from kybern.pki.authority import AuthorityUnusable, Identity, open_ca
from kybern.pki.kubeconfig import write_kubeconfig
from kybern.pki.rotation import Issuer
from kybern.pki.service_account import open_signing_key
from kybern.pki.source import FileCertificateSource

LOOK_EVERY = 0.1  # the part of a certificate's lifetime between two looks
GATEWAY_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
SERVICE_IP = "10.96.0.1"
NODE_GROUP = "system:nodes"
SIMULATED = Identity("system:kybern:simulated-nodes", (NODE_GROUP,), ("*.node.kybern",))  # one agent, many nodes
log = logging.getLogger("kybern.certificates")


def identities(plan: Plan, host: str) -> dict[str, Identity]:
    """Folder below DIR/pki → whom its certificate names."""
    result = {"admin": Identity("kubernetes-admin", ("system:masters",))}
    nodes = {node.name: node for node in plan.nodes}
    for spec in plan.specs:
        if spec.service == "node":
            result[spec.name] = node_identity(nodes[spec.name]) if spec.name in nodes else SIMULATED
        elif spec.service:
            result[spec.service] = service_identity(spec.service, host)
    return result


def node_identity(node: Node) -> Identity:
    """A node agent: itself, and one of the nodes."""
    return Identity(f"system:node:{node.name}", (NODE_GROUP,), (f"{node.name}.node.kybern", node.name), (node.address,))


def service_identity(package: str, host: str) -> Identity:
    """The identity of a service that is not bound to a node."""
    names = [f"{package}.kybern", "localhost"]
    ips = ["127.0.0.1"]
    if package == "gateway":
        names += GATEWAY_NAMES
        ips += [SERVICE_IP, *([host] if host != "127.0.0.1" else [])]
    return Identity(USERS[package], (), tuple(names), tuple(ips))


def make_front_proxy_issuer(options: ClusterOptions, layout: Layout) -> Issuer:
    """What keeps the certificate valid that extension API servers are shown; it has an authority of its own."""
    authority = open_ca(layout.pki / FRONT_PROXY_CA, datetime.now(UTC))
    lifetime = timedelta(hours=options.certificate_hours)
    return Issuer(layout.pki, authority, {FRONT_PROXY: Identity(FRONT_PROXY)}, lifetime)


def make_issuer(plan: Plan, options: ClusterOptions, layout: Layout, host: str) -> Issuer:
    """What keeps the certificates of this plan valid."""
    authority = open_ca(layout.pki, datetime.now(UTC))
    return Issuer(layout.pki, authority, identities(plan, host), timedelta(hours=options.certificate_hours))


def ensure_certificates(plan: Plan, options: ClusterOptions, layout: Layout, host: str) -> None:
    """Everything in DIR/pki, and the administrator's kubeconfig. Raises UsageError for keys that cannot be used."""
    try:
        open_signing_key(layout.pki)
        make_issuer(plan, options, layout, host).rotate(datetime.now(UTC))
        make_front_proxy_issuer(options, layout).rotate(datetime.now(UTC))
    except AuthorityUnusable as error:
        raise UsageError(str(error)) from None
    write_admin_kubeconfig(options, layout)


def write_admin_kubeconfig(options: ClusterOptions, layout: Layout) -> None:
    """DIR/admin.kubeconfig, with the certificate that is current."""
    pair = FileCertificateSource(layout.pki / "admin").current()
    write_kubeconfig(layout.kubeconfig, f"https://127.0.0.1:{options.secure_port}", pair, "kubernetes-admin")


def make_rotation(plan: Plan, options: ClusterOptions, layout: Layout, host: str) -> Callable[[], None]:
    """What the supervisor calls about once a second; it looks at the certificates now and then."""
    issuers = make_issuer(plan, options, layout, host), make_front_proxy_issuer(options, layout)
    pause = min(60.0, options.certificate_hours * 3600 * LOOK_EVERY)
    due = time.monotonic() + pause

    def rotate() -> None:
        nonlocal due
        if time.monotonic() < due:
            return
        due = time.monotonic() + pause
        for rotation in (done for issuer in issuers for done in issuer.rotate(datetime.now(UTC))):
            log.info("certificate of %s replaced: %s", rotation.service, rotation.reason)
            if rotation.service == "admin":
                write_admin_kubeconfig(options, layout)

    return rotate
