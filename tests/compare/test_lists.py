"""Lists: options, pages, selectors; what is wrong with them."""

import base64
import json
from itertools import product
from urllib.parse import quote

import pytest
from same import Both, differences, readable

ROOT_USER = ("root", "system:masters")


@pytest.fixture
def maps(both: Both, namespace: str) -> str:
    """The path of five ConfigMaps."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(5):
        both.same("POST", path, {"metadata": {"name": f"a{number}", "labels": {"l": str(number % 2)}}})
    return path


def all_same(both: Both, method: str, paths: list[str]) -> None:
    found = [f"{path}\n{line}" for path in paths for line in both.diff(method, path)]
    assert not found, "\n".join(found)


LIMITS = ("limit=2", "limit=0", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=99999999999999999999", "limit=5")
VERSIONS = ("", "0", "1", "x", "-1", "99999999999999999999", "1.5", " ", "0x10", "00")
MATCHES = ("", "Exact", "NotOlderThan", "x", "exact")


def test_limits(both: Both, maps: str) -> None:
    selected = [
        "limit=2&labelSelector=l%3D0",
        "limit=2&resourceVersion=0",
        "timeoutSeconds=x",
        "sendInitialEvents=true",
    ]
    all_same(both, "GET", [f"{maps}?{query}" for query in (*LIMITS, *selected)])


def test_versions(both: Both, maps: str) -> None:
    """Every version with every match, with a limit or a token or none."""
    more = product(VERSIONS, MATCHES, ("", "&limit=2"), ("", "&continue=abc"))
    queries = [f"resourceVersion={quote(v)}&resourceVersionMatch={m}{limit}{token}" for v, m, limit, token in more]
    all_same(both, "GET", [f"{maps}?{query}" for query in queries])


def token(content: object) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


V1 = {"v": "meta.k8s.io/v1"}
TOKENS = [
    *("abc", "a", "%%", "====", token(b"x"), token({}), token([]), token(V1), token({**V1, "rv": 0, "start": "a"})),
    token({**V1, "rv": -1, "start": "n/a1\0"}),
    token({**V1, "rv": -2, "start": "a1\0"}),
    token({"v": "v2", "rv": 1, "start": "a"}),
    *(token({**V1, "rv": -1, "start": start}) for start in ("/a", "../a", "../../x", "", "a3", "a3\0")),
    token({**V1, "rv": "1", "start": "a"}),
]


def test_tokens(both: Both, maps: str) -> None:
    more = ("", "&limit=1", "&resourceVersion=0", "&resourceVersion=5", "&resourceVersionMatch=Exact")
    all_same(both, "GET", [f"{maps}?continue={quote(text)}{each}" for text, each in product(TOKENS, more)])


@pytest.mark.parametrize("query", ["", "&labelSelector=l%3D0", "&fieldSelector=metadata.name%21%3Da1"])
def test_pages(both: Both, maps: str, query: str) -> None:
    first = both.same("GET", f"{maps}?limit=2{query}")
    both.same("POST", maps, {"metadata": {"name": "a2b"}})
    for more in ("", "&limit=2", "&limit=1", "&resourceVersion=0"):
        answers = []
        for server, answer in ((both.kube, first.kube), (both.kybern, first.kybern)):
            at = quote(answer.document["metadata"]["continue"])
            answers.append(readable(server.ask("GET", f"{maps}?continue={at}{query}{more}", None, {}, ROOT_USER)))
        assert not differences(*answers)


LABELS = (
    *("a", "!a", "a=", "=a", "a==b", "a=b=c", "a in", "a in (", "a in (b", "a in ()", "a in (b,)", "a in (,)"),
    *(
        "a notin (b)",
        "a notin b",
        "a>1",
        "a<1",
        "a>x",
        "a>",
        "a gt 1",
        "!a=b",
        "!!a",
        "! a",
        "a,",
        "a,,b",
        ",",
        "(",
        ")",
    ),
    *("a b", "a=b c", "a=é", "é=a", "a=" + "x" * 64, "x" * 64 + "=a", "a/b/c=d", "A.b/c=d", "/c=d", "a/=d", "-a=b"),
    *("a=-b", "a=_", "a in (b c)", "a in (b) c", "a!=b", "a!b", "a=!b", "in in (in)", "notin", "in", "a&b", "a;b"),
    *("a=b,a=c", "a>1.5", "a>-1", "a = b", "'a'=b", '"a"', "a=b:c", "*", "a=*", "a notin ()", "a in (!)", "a exists"),
)
FIELDS = (
    *("metadata.name", "metadata.name=", "metadata.name=a1", "metadata.name==a1", "metadata.name!=a1", "spec.x=1"),
    *("metadata.name=a1,metadata.name=a2", "metadata.namespace=x", "metadata.name in (a1)", "metadata.uid=x"),
    *("metadata.name=a\\,b", "metadata.name=a\\b", "metadata.name=a\\", "metadata.name=a=b", "metadata.name=a\\=b"),
    *(",", "metadata.name=a1,", "=", "==", "!=", "metadata.name=A B", "metadata.name=../x", "metadata.name=a1,data=b"),
)


def test_selectors(both: Both, maps: str) -> None:
    texts = [f"{kind}={quote(text)}" for kind in ("labelSelector", "fieldSelector") for text in (*LABELS, *FIELDS)]
    all_same(both, "GET", [f"{maps}?{text}" for text in texts])
    all_same(both, "DELETE", [f"{maps}?dryRun=All&fieldSelector={quote(text)}" for text in FIELDS])


def test_fields_of_every_kind(both: Both) -> None:
    """Which fields a kind can be selected by, and what is said of others."""
    groups = both.ask("GET", "/apis").kube.document["groups"]
    paths = ["/api/v1", *(f"/apis/{version['groupVersion']}" for group in groups for version in group["versions"])]
    fields = (
        "x",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.x",
        "status.phase",
        "spec.nodeName",
        "type",
    )
    asked = []
    for path in paths:
        for resource in both.ask("GET", path).kube.document["resources"]:
            if "/" not in resource["name"] and "list" in resource["verbs"] and resource["name"] != "componentstatuses":
                asked += [f"{path}/{resource['name']}?fieldSelector={field}=q" for field in fields]
    all_same(both, "GET", asked)
