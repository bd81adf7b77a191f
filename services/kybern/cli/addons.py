"""What every cluster gets after its start: the Service under which pods reach the DNS service."""

import json
import time
from contextlib import suppress

import grpc

from kybern.cli.connect import admin_channel
from kybern.cli.core.layout import Layout
from kybern.cli.core.options import ClusterFailed
from kybern.cli.core.plan import CLUSTER_DNS, DNS_PORT
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.api.v1.objects_pb2_grpc import ObjectsStub

NAMESPACE = "kube-system"
NAME = "kube-dns"
ACCOUNT_WITHIN = 10.0  # seconds; a cluster without it is ready for everything but pods
SLICES = pb.Resource(group="discovery.k8s.io", version="v1", resource="endpointslices", namespace=NAMESPACE)
Document = dict[str, object]


def dns_service() -> Document:
    """The Service kube-dns, without a selector: its endpoints are ours."""
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {
                "k8s-app": "kube-dns",
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
            },
        },
        "spec": {
            "clusterIP": CLUSTER_DNS,
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": DNS_PORT},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": DNS_PORT},
            ],
        },
    }


def dns_endpoints(address: str) -> Document:
    """Where the DNS service listens."""
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {
                "kubernetes.io/service-name": NAME,
                "endpointslice.kubernetes.io/managed-by": "kybern",
            },
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [
            {"name": "dns", "port": DNS_PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "port": DNS_PORT, "protocol": "TCP"},
        ],
    }


def install_addons(layout: Layout, address: str) -> None:
    """Create or replace them, with DNS at an address of the host ("": nowhere). Raises ClusterFailed.

    The apiserver must be ready.
    """
    with admin_channel(layout, "apiserver") as channel:
        stub = ObjectsStub(channel)
        try:
            put(stub, pb.Resource(version="v1", resource="services", namespace=NAMESPACE), dns_service(), keep=True)
            if address:
                put(stub, SLICES, dns_endpoints(address), keep=False)
        except grpc.RpcError as error:
            raise ClusterFailed(f"the Service kube-dns cannot be made: {error.details()}") from None
        wait_for_account(stub)


def put(stub: ObjectsStub, resource: pb.Resource, document: Document, *, keep: bool) -> None:
    """Create an object; one that exists is kept as it is, or merged over."""
    body = json.dumps(document).encode()
    try:
        stub.Get(pb.GetRequest(resource=resource, name=NAME), timeout=10.0)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        stub.Create(pb.CreateRequest(resource=resource, object=body), timeout=10.0)
        return
    if not keep:
        merge = "application/merge-patch+json"
        stub.Patch(pb.PatchRequest(resource=resource, name=NAME, patch_type=merge, patch=body), timeout=10.0)


def wait_for_account(stub: ObjectsStub) -> None:
    """Wait until the controllers have made the ServiceAccount `default/default`: without it no pod is admitted."""
    accounts = pb.Resource(version="v1", resource="serviceaccounts", namespace="default")
    deadline = time.monotonic() + ACCOUNT_WITHIN
    while time.monotonic() < deadline:
        with suppress(grpc.RpcError):
            stub.Get(pb.GetRequest(resource=accounts, name="default"), timeout=2.0)
            return
        time.sleep(0.04)
