"""What kubectl says when it must not work: the sentences people search for."""

import json
from typing import Any

import pytest

from kybern.testing.cluster import Kubectl

Object = dict[str, Any]
DNS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def thing(kind: str, name: str, version: str = "v1", **members: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **members}


def pod(name: str, **spec: Any) -> Object:
    return thing("Pod", name, spec={"containers": [{"name": "c", "image": "busybox:1"}], **spec})


LABELLED = {"metadata": {"labels": {"a": "c"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
REFUSED: dict[str, tuple[Object, str]] = {
    "name": (pod("Bad_Name"), f'The Pod "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": {DNS}'),
    "several": (
        pod("p", restartPolicy="Foo", containers=[{"name": "", "image": ""}]),
        'The Pod "p" is invalid: \n* spec.containers[0].name: Required value\n'
        "* spec.containers[0].image: Required value\n"
        '* spec.restartPolicy: Unsupported value: "Foo": supported values: "Always", "OnFailure", "Never"',
    ),
    "selector": (
        thing(
            "Deployment",
            "d",
            "apps/v1",
            spec={"replicas": -1, "selector": {"matchLabels": {"a": "b"}}, "template": LABELLED},
        ),
        'The Deployment "d" is invalid: \n* spec.replicas: Invalid value: -1: must be greater than or equal to 0\n'
        '* spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`',
    ),
    "unknown field": (
        pod("p", foo=1, containers=[{"name": "c", "image": "x", "imagee": "y"}]),
        'Error from server (BadRequest): error when creating "STDIN": Pod in version "v1" cannot be handled as a Pod: '
        'strict decoding error: unknown field "spec.containers[0].imagee", unknown field "spec.foo"',
    ),
    "type": (
        thing("ConfigMap", "c", data={"a": 1}),
        'Error from server (BadRequest): error when creating "STDIN": ConfigMap in version "v1" cannot be handled as a '
        "ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
    ),
    "service port": (
        thing("Service", "s", spec={"ports": [{"port": 0}]}),
        'The Service "s" is invalid: \n'
        "* spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive\n"
        "* spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    "no such namespace": (
        {**thing("ConfigMap", "c"), "metadata": {"name": "c", "namespace": "no"}},
        'error: the namespace from the provided object "no" does not match the namespace "{namespace}". You must '
        "pass '--namespace=no' to perform this operation.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(kubectl: Kubectl, case: str) -> None:
    manifest, message = REFUSED[case]
    said = kubectl.error("create", "-f", "-", stdin=json.dumps(manifest))
    assert said == message.replace("{namespace}", kubectl.namespace)


MESSAGES = {
    "get pods/nope": 'Error from server (NotFound): pods "nope" not found',
    "get deployments.apps nope": 'Error from server (NotFound): deployments.apps "nope" not found',
    "get foos": 'error: the server doesn\'t have a resource type "foos"',
    "describe pod nope": 'Error from server (NotFound): pods "nope" not found',
    "exec nope -- true": 'Error from server (NotFound): pods "nope" not found',
    "create configmap kube-root-ca.crt": (
        'error: failed to create configmap: configmaps "kube-root-ca.crt" already exists'
    ),
    "get pods --field-selector=foo=bar": (
        'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", '
        'field selector "foo=bar": field label not supported: foo'
    ),
}


@pytest.mark.parametrize("command", MESSAGES)
def test_messages(kubectl: Kubectl, command: str) -> None:
    kubectl("wait", "configmap/kube-root-ca.crt", "--for=create", "--timeout=10s")
    assert kubectl.error(*command.split()) == MESSAGES[command]


def test_logs_of_nothing(kubectl: Kubectl) -> None:
    assert 'pods "nope" not found in namespace' in kubectl.error("logs", "nope")


def test_unknown_kind(kubectl: Kubectl) -> None:
    said = kubectl.error("create", "-f", "-", stdin=json.dumps(thing("Nope", "x", "example.com/v1")))
    assert 'no matches for kind "Nope" in version "example.com/v1"' in said
    assert "ensure CRDs are installed first" in said
    within = kubectl.error("create", "-f", "-", stdin=json.dumps(thing("Nope", "x")))
    assert 'no matches for kind "Nope" in version "v1"' in within


def test_fields_nobody_knows_are_told_on_the_way(kubectl: Kubectl) -> None:
    result = kubectl.run("create", "-f", "-", "--validate=warn", stdin=json.dumps(pod("p", foo=1)))
    assert (result.code, result.out, result.err) == (0, "pod/p created\n", 'Warning: unknown field "spec.foo"\n')
    quiet = kubectl.run("create", "-f", "-", "--validate=ignore", stdin=json.dumps(pod("q", foo=1)))
    assert (quiet.code, quiet.err) == (0, "")


def test_what_cannot_change(kubectl: Kubectl) -> None:
    kubectl("create", "service", "clusterip", "s", "--tcp=80")
    said = kubectl.error("patch", "service", "s", "-p", '{"spec":{"clusterIP":"10.96.1.1"}}')
    assert 'spec.clusterIPs[0]: Invalid value: ["10.96.1.1"]: may not change once set' in said
    kubectl.send("create", {**thing("Secret", "x"), "immutable": True, "stringData": {"a": "b"}})
    immutable = kubectl.error("patch", "secret", "x", "-p", '{"stringData":{"a":"c"}}')
    assert immutable == 'The Secret "x" is invalid: data: Forbidden: field is immutable when `immutable` is set'


def test_deprecated_kinds_warn(admin: Kubectl) -> None:
    result = admin.run("get", "endpoints", "-A")
    assert result.err == ("Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n")
    assert admin.run("get", "componentstatuses").err == "Warning: v1 ComponentStatus is deprecated in v1.19+\n"
