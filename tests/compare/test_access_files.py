"""Authentication and authorization configurations with something wrong: why a running server does not take them.

Each has another thing wrong at its end, so that a kube-apiserver refuses it at once and says all.
"""

import copy
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
import yaml
from servers import PROGRAM, Server, kube_apiserver

from kybern.apiserver.authentication.flags import read_structured
from kybern.apiserver.authorization.configuration import read_configuration
from kybern.pki.authority import create_ca

Object = dict[str, Any]
Read = Callable[[Path, bytes], Any]
TOLD = re.compile(r'"[^"]*auth\w* config[^"]*".*?err=("(?:[^"\\]|\\.)*"|<.*?\n >)', re.S)
SECONDS = 10
FRAME = {"apiVersion": "apiserver.config.k8s.io/v1"}
USERNAME = {"claim": "sub", "prefix": ""}
ISSUER = {"url": "https://a.example", "audiences": ["x"]}
WEBHOOK = {
    "timeout": "3s",
    "subjectAccessReviewVersion": "v1",
    "matchConditionSubjectAccessReviewVersion": "v1",
    "failurePolicy": "Deny",
    "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "KUBECONFIG"},
}
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "a",
    "users": [{"name": "a", "user": {}}],
    "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
}
EXTRA = {"key": "a.io/x", "valueExpression": "'v'"}
JWT: list[Object] = [
    {},
    {"foo": 1},
    {"issuer": {"url": "http://a", "audiences": ["x"]}},
    {"issuer": {**ISSUER, "url": ""}},
    *({"issuer": {**ISSUER, "audiences": value}} for value in ([], [""], ["a", "a"], ["a", "b"], "a", [5], None)),
    *({"issuer": {**ISSUER, "discoveryURL": value}} for value in ("http://d", "https://d?x=1", "https://u@d/x")),
    {"issuer": {**ISSUER, "certificateAuthority": "x"}},
    {"issuer": {**ISSUER, "egressSelectorType": "x"}},
    {"issuer": {**ISSUER, "audienceMatchPolicy": "x"}},
    {"claimMappings": {}},
    *(
        {"claimMappings": {"username": value}}
        for value in (
            {"claim": "a"},
            {"claim": "a", "prefix": "", "expression": "claims.a"},
            {"expression": "claims.a", "prefix": "x"},
            {"expression": "foo"},
            {"expression": "claims."},
            {"expression": "claims.email"},
            {"claim": 5},
            "x",
            None,
        )
    ),
    *(
        {"claimMappings": {"username": USERNAME, "extra": value}}
        for value in (
            [{}],
            [EXTRA, EXTRA],
            [{**EXTRA, "key": "x"}],
            [{**EXTRA, "key": "A.io/x"}],
            [{**EXTRA, "key": "a.io/ü"}],
            [{**EXTRA, "key": "a.k8s.io/x"}],
            [{**EXTRA, "key": "a.io/"}],
            [{**EXTRA, "valueExpression": ""}],
        )
    ),
    *(
        {"claimValidationRules": [value]}
        for value in (
            {},
            {"claim": "a", "expression": "true"},
            {"expression": "true", "requiredValue": "x"},
            {"claim": "a", "message": "m"},
            {"expression": "1"},
            {"expression": "claims.a"},
            {"expression": "claims.a &&"},
        )
    ),
    {"claimValidationRules": [{"claim": "a"}, {"claim": "a"}]},
    {"userValidationRules": [{}]},
    {"userValidationRules": [{"expression": "user.foo"}]},
    {"userValidationRules": [{"expression": "user.uid == 1"}]},
]
WEBHOOKS: list[Object] = [
    *({member: value} for member in WEBHOOK for value in (None, "x", 5)),
    *({"timeout": value} for value in ("0s", "-1s", "31s", "1h")),
    {"authorizedTTL": "-1s"},
    {"foo": 1},
    {"connectionInfo": {"type": "KubeConfigFile"}},
    {"connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "/no"}},
    *(
        {"matchConditions": [{"expression": value}]}
        for value in ("", "1", "request.foo", "foo", "request.user == 1", "request")
    ),
    {"matchConditions": [{"expression": "true"}] * 2},
    {"matchConditions": [{"expression": "true"}], "matchConditionSubjectAccessReviewVersion": ""},
]
NAMES: list[Object] = [
    {"name": "W"},
    {"name": ""},
    {"name": "rbac"},
    {"type": ""},
    {"type": "x"},
    {"webhook": None},
    {"a": 1},
]


def _jwt() -> Iterator[Object]:
    wrong = {"issuer": {"url": "http://z", "audiences": ["x"]}, "claimMappings": {"username": USERNAME}}
    for change in JWT:
        one = {"issuer": ISSUER, "claimMappings": {"username": USERNAME}, **change}
        yield {**FRAME, "kind": "AuthenticationConfiguration", "jwt": [one, wrong], "anonymous": {"enabled": True}}


def _authorizers(kubeconfig: str) -> Iterator[Object]:
    for change in [*({"webhook": {**WEBHOOK, **one}} for one in WEBHOOKS), *NAMES]:
        webhook = copy.deepcopy({"type": "Webhook", "name": "w", "webhook": WEBHOOK, **change})
        listed = [
            {"type": "Node", "name": "node"},
            {"type": "RBAC", "name": "rbac"},
            webhook,
            {"type": "Z", "name": "z"},
        ]
        text = json.dumps({**FRAME, "kind": "AuthorizationConfiguration", "authorizers": listed})
        yield json.loads(text.replace("KUBECONFIG", kubeconfig))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("access")
    (found / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG))
    first = {**FRAME, "kind": "AuthenticationConfiguration", "anonymous": {"enabled": True}}
    (found / "authentication.yaml").write_text(yaml.safe_dump(first))
    listed = [{"type": name, "name": name.lower()} for name in ("Node", "RBAC")]
    second = {**FRAME, "kind": "AuthorizationConfiguration", "authorizers": listed}
    (found / "authorization.yaml").write_text(yaml.safe_dump(second))
    return found


@pytest.fixture(scope="module")
def kube(folder: Path) -> Iterator[Server]:
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    named = [f"--{what}-config={folder}/{what}.yaml" for what in ("authentication", "authorization")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(servers, "FLAGS", tuple(one for one in servers.FLAGS if "authorization-mode" not in one))
        ca = create_ca(folder / "ca", servers.datetime.now(servers.UTC))
        with kube_apiserver(folder / "kube", ca, *named) as found:
            yield found


def _told(log: Path, since: int) -> str:
    """What the kube-apiserver says of its new configuration."""
    deadline = time.monotonic() + SECONDS
    while (found := TOLD.search(log.read_text()[since:])) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    text = found[1]
    if text.startswith('"'):
        said: str = json.loads(text)
        return said
    return "\n".join(line.removeprefix("\t") for line in text[2:-3].split("\n"))


@pytest.mark.timeout(200)
@pytest.mark.parametrize("what", ["authentication", "authorization"])
def test_wrong_configurations(kube: Server, folder: Path, what: str) -> None:
    log, file, new, wrong = folder / "kube" / "kube-apiserver.log", folder / f"{what}.yaml", folder / "new", []
    read: Read = read_structured if what == "authentication" else read_configuration
    for document in _jwt() if what == "authentication" else _authorizers(str(folder / "kubeconfig")):
        data, since = yaml.safe_dump(document).encode(), len(log.read_text())
        new.write_bytes(data)
        new.rename(file)
        theirs = _told(log, since).removeprefix("failed to load AuthorizationConfiguration from file: ")
        ours = ""
        try:
            read(file, data)
        except ValueError as error:
            ours = str(error).removeprefix(f"--{what}-config {file}: ")
        if " ".join(theirs.split()) != " ".join(ours.split()):
            wrong.append(f"{document}\n  kube:   {theirs}\n  kybern: {ours}")
    assert not wrong, "\n".join(wrong)
