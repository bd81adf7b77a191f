"""Requests that are wrong in ways no client library is: each is refused in words, and nothing is left behind."""

from typing import Any

import orjson
import pytest

from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, PODS, SERVICES
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb

NOT_NUMBERS = ["²", "٣", "x", "-1", "1.5", "9" * 20, "9" * 5000]
CONFIG_MAP = pb.Resource(version="v1", resource="configmaps", namespace="default")
POD = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}


def call(client: Client, verb: str, message: Any) -> Any:
    return client.calls.call(verb, message, "", 5)


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


@pytest.mark.parametrize("version", NOT_NUMBERS, ids=lambda text: text[:25])
async def test_a_resource_version_that_is_no_number(admin: Client, version: str) -> None:
    got = await refused(call(admin, "get", pb.GetRequest(resource=CONFIG_MAP, name="a", resource_version=version)))
    listing = pb.ListRequest(resource=CONFIG_MAP, resource_version=version)
    listed = await refused(anext(admin.calls.stream("list", listing, "", 5)))
    watching = pb.WatchRequest(resource=CONFIG_MAP, resource_version=version)
    watched = await refused(anext(admin.calls.stream("watch", watching, "", 5)))
    made = await admin.create(CONFIG_MAPS, {"metadata": {"name": "b", "namespace": "default"}})
    made["metadata"]["resourceVersion"] = version
    updated = await refused(admin.update(CONFIG_MAPS, made))
    assert (updated.code, updated.reason) == (400, "")
    for error in (got, listed, watched):
        assert (error.code, error.reason) == (400, "BadRequest"), error
    for error in (got, listed, watched, updated):
        assert "strconv.ParseUint: parsing " in error.message


@pytest.mark.parametrize("seconds", [1 << 40, (1 << 63) - 1])
async def test_a_grace_period_without_an_end(admin: Client, seconds: int) -> None:
    pod = {"metadata": {"name": "a", "namespace": "default"}, "spec": {**POD, "terminationGracePeriodSeconds": 1}}
    await admin.create(PODS, pod)
    options = orjson.dumps({"gracePeriodSeconds": seconds})
    resource = pb.Resource(version="v1", resource="pods", namespace="default")
    await call(admin, "delete", pb.DeleteRequest(resource=resource, name="a", options=options))
    marked = await admin.get(PODS, "a", "default")
    assert marked["metadata"]["deletionTimestamp"].startswith("9999")
    await admin.delete(PODS, "a", "default", grace_period_seconds=0)


@pytest.mark.parametrize("seconds", ["9223372036854775808", "18446744073709551615", "-9223372036854775809", "1.5"])
async def test_grace_periods_that_are_no_int64(admin: Client, seconds: str) -> None:
    await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
    options = b'{"gracePeriodSeconds": ' + seconds.encode() + b"}"
    error = await refused(call(admin, "delete", pb.DeleteRequest(resource=CONFIG_MAP, name="a", options=options)))
    assert (error.code, error.reason) == (400, "BadRequest")
    assert "DeleteOptions.gracePeriodSeconds of type int64" in error.message


@pytest.mark.parametrize("preconditions", ["x", ["uid"], 5])
async def test_preconditions_that_are_no_object(admin: Client, preconditions: Any) -> None:
    await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
    options = orjson.dumps({"preconditions": preconditions})
    error = await refused(call(admin, "delete", pb.DeleteRequest(resource=CONFIG_MAP, name="a", options=options)))
    assert (error.code, error.reason) == (400, "BadRequest")
    assert await admin.get(CONFIG_MAPS, "a", "default")


@pytest.mark.parametrize("ports", ["ports=%C2%B2", "ports=8080,%D9%A3", "ports=" + "9" * 5000, "ports=&ports=,"])
async def test_ports_that_are_no_numbers(admin: Client, ports: str) -> None:
    await admin.create(PODS, {"metadata": {"name": "a", "namespace": "default"}, "spec": POD})
    resource = pb.Resource(version="v1", resource="pods", namespace="default", subresource="portforward")
    asked = pb.ConnectRequest(resource=resource, name="a", verb="create", query=ports)
    error = await refused(call(admin, "connect", asked))
    assert error.code == 404
    assert error.message == 'pods "n" not found'  # upstream looks for the node in the resource of the request


@pytest.mark.parametrize("name", ["web:²", "web:" + "9" * 5000, "web:٣"])
async def test_a_proxied_port_that_is_no_number(admin: Client, name: str) -> None:
    service = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
    await admin.create(SERVICES, service)
    resource = pb.Resource(version="v1", resource="services", namespace="default", subresource="proxy")
    error = await refused(call(admin, "connect", pb.ConnectRequest(resource=resource, name=name, verb="get")))
    assert (error.code, error.reason) == (503, "ServiceUnavailable")
