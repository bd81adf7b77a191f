"""The audit log: equal policies, the same requests, the same events; and what is said under overload.

What differs is said in docs/conformance.md: Tables and documents are made by the gateway, and so not in the log.
"""

import base64
import itertools
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from same import ROOT_USER, Both, Pair, differences, normal
from servers import PROGRAM, kube_apiserver, kybern

from kybern.apiserver.audit.flags import AuditSettings
from kybern.apiserver.core.audit.policy import read_policy

OMITTED = {"level": "RequestResponse", "omitStages": ["RequestReceived"], "omitManagedFields": True}
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "rules": [
        {"level": "None", "namespaces": ["none"]},
        {"level": "Metadata", "namespaces": ["meta"]},
        {"level": "Request", "namespaces": ["req"]},
        {**OMITTED, "namespaces": ["omit"]},
        {"level": "None", "nonResourceURLs": ["/livez*"]},
        {"level": "Metadata", "nonResourceURLs": ["*"]},
        {"level": "RequestResponse"},
    ],
}
LEVELS = ("none", "meta", "req", "whole", "omit")
RBAC = "/apis/rbac.authorization.k8s.io/v1"
EVE, NOBODY = ("eve",), ()
numbers = itertools.count(1)


class Log:
    """Both servers, and what each has recorded."""

    def __init__(self, both: Both, folder: Path) -> None:
        self.both, self._folder = both, folder

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None,
            user: tuple[str, ...] = ROOT_USER) -> tuple[str, Pair]:  # fmt: skip
        """The audit ID, and the answers."""
        found = f"request-{next(numbers)}"
        return found, self.both.ask(method, path, body, {"Audit-ID": found, **(headers or {})}, user)

    def events(self, side: str, audit_id: str) -> list[Any]:
        path = self._folder / f"{side}.log"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []  # the last may still be written
        return [shown(event) for line in lines if (event := json.loads(line))["auditID"] == audit_id]

    def same(self, *arguments: Any, **named: Any) -> None:
        """Ask both; what they have recorded has to agree, once it is there."""
        audit_id, _ = self.ask(*arguments, **named)
        deadline, found = time.monotonic() + 2, ["nothing"]
        while found and time.monotonic() < deadline:
            kube, ours = self.events("kube", audit_id), self.events("kybern", audit_id)
            found = differences(kube, ours) or (["nothing"] if not kube and "/none/" not in arguments[1] else [])
            if found:
                time.sleep(0.05)
        assert not found, "\n".join(found)


def shown(event: Any) -> Any:
    times = dict.fromkeys(("requestReceivedTimestamp", "stageTimestamp"), "TIME")
    text = json.dumps(normal({**event, **times}))
    return json.loads(re.sub("X509SHA256=[0-9a-f]{64}", "HASH", text))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    folder = tmp_path_factory.mktemp("audited")
    (folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    flags = (f"--audit-policy-file={folder}/policy.yaml", f"--audit-log-path={folder}/kube.log")
    settings = AuditSettings(read_policy(POLICY), str(folder / "kybern.log"))
    with kybern(folder / "ours", audit=settings) as ours, kube_apiserver(folder / "theirs", ours.ca, *flags) as theirs:
        both = Both(theirs, ours)
        for name in LEVELS:
            both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
            both.ask("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
            both.ask("POST", f"/api/v1/namespaces/{name}/configmaps", {"metadata": {"name": "kept"}})
        rules = [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]},
                 {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"]}]  # fmt: skip
        both.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "eve"}, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "eve"}
        subject = {"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}
        binding = {"metadata": {"name": "eve"}, "roleRef": role, "subjects": [subject]}
        both.ask("POST", f"{RBAC}/clusterrolebindings", binding)
        yield Log(both, folder)


POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
BIND = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "gone"}}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
OPTIONS = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
AS = {"Impersonate-User": "x", "Impersonate-Group": "g", "Impersonate-Uid": "9", "Impersonate-Extra-Scopes": "v"}
CM = {"metadata": {"name": "c"}, "data": {"a": "b"}}
LIST = "?labelSelector=a%3Db&limit=1"
ROWS: list[tuple[Any, ...]] = [
    ("POST", "configmaps", CM), ("POST", "configmaps", CM), ("POST", "configmaps", {"metadata": {"name": "A_"}}),
    ("POST", "configmaps", {"metadata": {"generateName": "generated-"}}), ("POST", "configmaps", b"{x"),
    ("POST", "configmaps", b""), ("POST", "configmaps", {"metadata": {"name": "q"}, "data": 3}),
    ("POST", "configmaps", {"kind": "Pod", "apiVersion": "v1"}), ("POST", "configmaps?dryRun=All", CM | {"data": {}}),
    ("POST", "configmaps?fieldValidation=Strict", {"metadata": {"name": "q"}, "zzz": 3}),
    ("GET", "configmaps/kept"), ("GET", "configmaps/none"), ("GET", f"configmaps{LIST}"),
    ("GET", "configmaps?labelSelector=%21%21"), ("GET", "configmaps?fieldSelector=metadata.name%3Dkept"),
    ("GET", "configmaps?watch=1&timeoutSeconds=1"), ("GET", "configmaps/kept", None, {"Accept": "text/plain"}),
    ("GET", "configmaps?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dkept"), ("HEAD", "configmaps/kept"),
    ("PATCH", "configmaps/c", {"data": {"x": "y"}}), ("PATCH", "configmaps/c", {"data": {"x": "z"}}, STRATEGIC),
    ("PATCH", "configmaps/c?fieldManager=m", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, APPLY),
    ("PATCH", "configmaps/c", {}, {"Content-Type": "text/plain"}), ("PATCH", "configmaps/none", {}),
    ("PATCH", "configmaps/c?dryRun=All", {"data": {"x": "dry"}}),
    ("PUT", "configmaps/none", {"metadata": {"name": "other"}}), ("DELETE", "configmaps/c?dryRun=All"),
    ("DELETE", "configmaps/c", OPTIONS), ("DELETE", "configmaps/c"), ("DELETE", "configmaps?labelSelector=no%3D1"),
    ("DELETE", "configmaps/kept", {**OPTIONS, "propagationPolicy": "No"}),
    ("DELETE", "configmaps?labelSelector=no%3D1", {"propagationPolicy": "Orphan"}), ("POST", "pods", POD),
    ("PATCH", "pods/p/status", {"status": {"phase": "Pending"}}), ("POST", "pods/p/binding", BIND),
    ("POST", "bindings", BIND), ("GET", "pods/p/log"), ("GET", "pods/p/exec?command=x"),
    ("POST", "pods/none/portforward"), ("POST", "pods/p/eviction", {"metadata": {"name": "p"}}),
    ("DELETE", "pods/p?gracePeriodSeconds=0"), ("GET", "pods/p/nope"), ("PROPFIND", "pods"), ("GET", "nope"),
    ("GET", "configmaps/kept", None, {"X-Forwarded-For": "192.0.2.7, 192.0.2.8", "X-Real-Ip": "192.0.2.9"}),
    *((method, path, body, headers, user)
      for method, path, body in (("GET", "configmaps", None), ("POST", "configmaps", CM), ("GET", "secrets/x", None),
        ("GET", "secrets?watch=1", None), ("PUT", "configmaps/c", CM), ("DELETE", "secrets/x", None))
      for headers, user in (({}, EVE), ({}, NOBODY), ({"Authorization": "Bearer x"}, NOBODY), (AS, EVE),
        ({"Impersonate-User": "other"}, EVE), (AS, ROOT_USER), ({"Impersonate-Group": "g"}, ROOT_USER))
      if (user, body) != (ROOT_USER, CM)),
]  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
def test_events(log: Log, level: str) -> None:
    wrong = []
    for row in ROWS:
        try:
            log.same(row[0], f"/api/v1/namespaces/{level}/{row[1]}", *row[2:])
        except AssertionError as error:
            wrong.append(f"{row}\n{error}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize(
    "path", ["/version", "/livez", "/readyz", "/api", "/apis", "/apis/nope/v1/things", "/api/v1/nope"]
)
def test_other_paths(log: Log, path: str) -> None:
    for user in (ROOT_USER, NOBODY):
        if (path, user) != ("/livez", ROOT_USER) and path != "/livez":
            log.same("GET", path, user=user)


POLICIES = "/apis/admissionregistration.k8s.io/v1"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
NOTES = [
    {"key": "name", "valueExpression": "object.metadata.name"}, {"key": "none", "valueExpression": "null"},
    {"key": "long", "valueExpression": f"'{'x' * 4000}'"}, {"key": "empty", "valueExpression": "' '"},
]  # fmt: skip
JUDGED: dict[str, Any] = {
    "one": {"validations": [{"expression": "false", "message": "one"}]},
    "several": {"validations": [{"expression": text} for text in ("true", "false", "1/0 == 1")]},
    "ignored": {"validations": [{"expression": text} for text in ("1/0 == 1", "false")], "failurePolicy": "Ignore"},
    "condition": {
        "validations": [{"expression": "true"}], "matchConditions": [{"name": "c", "expression": "1/0 == 1"}]},
    "notes": {"auditAnnotations": NOTES},
    "changed": {"mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression":
                "[JSONPatch{op: 'add', path: '/data', value: {'a': 'b'}}]"}}], "reinvocationPolicy": "IfNeeded"},
}  # fmt: skip


@pytest.mark.parametrize("name", JUDGED)
def test_policies(log: Log, name: str) -> None:
    kind = "mutating" if name == "changed" else "validating"
    space = f"judged-{name}"
    log.both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
    about = {"resourceRules": [RULE], "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}}}
    spec = {"matchConstraints": about, **JUDGED[name]}
    bound = {"policyName": name, **({"validationActions": ["Audit"]} if kind == "validating" else {})}
    log.both.same("POST", f"{POLICIES}/{kind}admissionpolicies", {"metadata": {"name": name}, "spec": spec})
    log.both.same("POST", f"{POLICIES}/{kind}admissionpolicybindings", {"metadata": {"name": name}, "spec": bound})
    time.sleep(2)  # until both have heard of it
    log.same("POST", f"/api/v1/namespaces/{space}/configmaps", CM)


def test_tokens(log: Log) -> None:
    """The token is another one; all else that is said of it agrees."""
    audit_id, pair = log.ask("POST", "/api/v1/namespaces/meta/serviceaccounts/default/token", {"spec": {}})
    time.sleep(0.5)
    for side, answer in (("kube", pair.kube), ("kybern", pair.kybern)):
        _, complete = log.events(side, audit_id)
        said = json.loads(base64.urlsafe_b64decode(answer.document["status"]["token"].split(".")[1] + "=="))
        assert said["jti"]
        assert complete["annotations"]["authentication.kubernetes.io/issued-credential-id"] == "JTI=UID"
