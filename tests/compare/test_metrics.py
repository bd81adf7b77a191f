"""What /metrics says: names, types, labels and buckets of every family, and the counts of the same requests.

Both servers are asked the same, PodTemplates above all: neither touches these by itself.
"""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from same import Both
from servers import Answer

TEMPLATES = "/api/v1/namespaces/default/podtemplates"
WATCH = "/api/v1/podtemplates?watch=1&timeoutSeconds=4"
WATCH_LIST = "/api/v1/namespaces/default/replicationcontrollers?watch=1&sendInitialEvents=true&allowWatchBookmarks=true"
WATCH_LIST += "&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
TEMPLATE = {"template": {"metadata": {}, "spec": POD["spec"]}}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
APPLIED = b'{"apiVersion":"v1","kind":"PodTemplate","metadata":{"name":"g"}}'
BOB = ("bob",)

# What Kybern counts beside it: of its mesh.
OURS = re.compile("grpc_server_|kybern_")
# What kube-apiserver counts of its own making: Go, its clients, queues and metrics, how it caches and encrypts, checks
# that have no counterpart here, moments that are sampled by the nanosecond.
THEIRS = re.compile(
    "go_|grpc_client_|rest_client_|workqueue_|(registered|hidden|disabled)_metrics|cardinality_enforcement"
    "|apiserver_envelope_|apiserver_storage_(data_key|envelope)"
    "|apiserver_(kube_aggregator|webhooks)_x509|aggregator_discovery_|authentication_token_cache"
    "|apiserver_validation_|apiextensions_apiserver_validation|apiserver_selfrequest"
    "|apiserver_watch_cache_read_wait|apiserver_request_timestamp|etcd_(bookmark|lease)"
    "|apiserver_flowcontrol_read_vs_write|apiserver_nodeport_repair|apiserver_(cel_|current_inqueue)"
    "|kube_apiserver_clusterip_allocator_allocation_duration|.*_duration_seconds_summary"
    "|apiserver_storage_size_bytes"  # there where the store is a file
)
# Families whose labels differ.
OTHER_LABELS: frozenset[str] = frozenset()
LINE = re.compile(r"([a-zA-Z_:0-9]+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


@dataclass
class Family:
    kind: str
    stability: str
    labels: set[tuple[str, ...]] = field(default_factory=set)
    bounds: set[str] = field(default_factory=set)
    values: dict[tuple[str, ...], str] = field(default_factory=dict)  # by name and labels, sorted


def families(text: str) -> dict[str, Family]:
    found: dict[str, Family] = {}
    stability = name = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            about = line.split(" ", 3)[3]
            stability = about.partition("]")[0] if about.startswith("[") else ""
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            found[name] = Family(kind, stability)
        elif matched := LINE.fullmatch(line):
            labels = dict(LABEL.findall(matched[2] or ""))
            found[name].bounds |= {labels["le"]} if "le" in labels else set()
            found[name].labels.add(tuple(key for key in labels if key != "le"))
            found[name].values[matched[1], *(f"{key}={value}" for key, value in labels.items())] = matched[3]
    return found


POLICY = "apiserver_validating_admission_policy_check_total"


def drive(both: Both) -> None:
    """Every verb, refusals, admission, documents."""
    both.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    for name in ("a", "b", "b"):
        both.same("POST", TEMPLATES, {"metadata": {"name": name}, **TEMPLATE})
    both.same("POST", f"{TEMPLATES}?dryRun=All", {"metadata": {"name": "c"}, **TEMPLATE})
    for path in (f"{TEMPLATES}/a", f"{TEMPLATES}/none", TEMPLATES, f"{TEMPLATES}?limit=1", "/api/v1/podtemplates"):
        both.ask("GET", path)
    both.same("GET", f"{TEMPLATES}?watch=1&timeoutSeconds=1")
    both.same("GET", f"{TEMPLATES}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Da")
    both.ask("GET", WATCH_LIST)
    both.same("PUT", f"{TEMPLATES}/a", {"metadata": {"name": "a", "labels": {"x": "y"}}, **TEMPLATE})
    both.same("PATCH", f"{TEMPLATES}/a", {"metadata": {"labels": {"x": "z"}}})
    both.ask("PATCH", f"{TEMPLATES}/g?fieldManager=x&force=true", APPLIED, APPLY)
    both.same("DELETE", f"{TEMPLATES}/a")
    both.ask("DELETE", TEMPLATES)
    both.same("POST", "/api/v1/namespaces/default/pods", POD)
    both.ask("GET", "/api/v1/namespaces/default/pods/p/log")
    both.ask("GET", "/api/v1/namespaces/default/pods/p/proxy/")
    both.ask("GET", "/api/v1/endpoints")
    both.ask("GET", CONFIG_MAPS, user=BOB)
    both.ask("GET", CONFIG_MAPS, headers={"Authorization": "Bearer wrong"}, user=())
    for path in (
        "/healthz",
        "/livez/ping",
        "/readyz",
        "/version",
        "/openapi/v3",
        "/openapi/v3/api/v1",
        "/apis",
        "/none",
    ):
        both.ask("GET", path)
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "false"}]}
    both.ask("POST", f"{ADMISSION}/validatingadmissionpolicies", {"metadata": {"name": "v"}, "spec": spec})
    bound = {"metadata": {"name": "v"}, "spec": {"policyName": "v", "validationActions": ["Deny"]}}
    both.ask("POST", f"{ADMISSION}/validatingadmissionpolicybindings", bound)
    for number in range(100):
        pair = both.ask("POST", CONFIG_MAPS, {"metadata": {"name": f"d{number}"}})
        if pair.kube.status == pair.kybern.status == 422:
            break
        time.sleep(0.1)


@dataclass
class Scrapes:
    kube: dict[str, Family]
    kybern: dict[str, Family]


@pytest.fixture(scope="module")
def scraped(fresh: Both) -> Scrapes:
    drive(fresh)
    with ThreadPoolExecutor() as pool:
        for server in (fresh.kube, fresh.kybern):
            pool.submit(server.ask, "GET", WATCH, None, {}, ("watcher", "system:masters"))
        time.sleep(2)
        pair = fresh.ask("GET", "/metrics")
    assert same_headers(pair.kube) == same_headers(pair.kybern)
    return Scrapes(families(pair.kube.body.decode()), families(pair.kybern.body.decode()))


def same_headers(answer: Answer) -> tuple[str, bool]:
    return answer.headers["content-type"], answer.headers["process-start-time-unix"].isdigit()


def shared(scraped: Scrapes) -> Iterator[tuple[str, Family, Family]]:
    for name, family in scraped.kube.items():
        if name in scraped.kybern:
            yield name, family, scraped.kybern[name]


def test_names(scraped: Scrapes) -> None:
    """What one has and the other has not is named above."""
    theirs, ours = set(scraped.kube), set(scraped.kybern)
    assert sorted(name for name in theirs - ours if not THEIRS.match(name)) == []
    assert sorted(name for name in ours - theirs if not OURS.match(name)) == []


def test_types_and_stability(scraped: Scrapes) -> None:
    for name, theirs, ours in shared(scraped):
        assert ours.kind == theirs.kind, name
        assert ours.stability in (theirs.stability, ""), name


def test_labels_and_buckets(scraped: Scrapes) -> None:
    for name, theirs, ours in shared(scraped):
        if name not in OTHER_LABELS:
            assert ours.labels == theirs.labels, f"{name}, in this order"
        assert ours.bounds == theirs.bounds, name


def test_order(fresh: Both) -> None:
    text = fresh.ask("GET", "/metrics").kybern.body.decode()
    names = re.findall("^# TYPE (.*) ", text, re.MULTILINE)
    assert names == sorted(names)


OF_TEMPLATES = (
    "apiserver_cache_list_total",
    "apiserver_init_events_total",
    "apiserver_watch_cache_consistent_read_total",
    "apiserver_request_total",
    "apiserver_request_duration_seconds",
    "apiserver_request_sli_duration_seconds",
    "apiserver_response_sizes",
    "apiserver_request_body_size_bytes",
    "apiserver_longrunning_requests",
    "apiserver_watch_events_total",
    "apiserver_watch_events_sizes",
    "apiserver_resource_objects",
    "apiserver_watch_cache_events_received_total",
    "apiserver_storage_events_received_total",
)


@pytest.mark.parametrize("name", OF_TEMPLATES)
def test_the_same_requests_are_counted_alike(scraped: Scrapes, name: str) -> None:
    assert counts(scraped.kybern[name]) == counts(scraped.kube[name])


def counts(family: Family) -> dict[tuple[str, ...], str]:
    """What was counted of PodTemplates."""
    found = {at: value for at, value in family.values.items() if "resource=podtemplates" in at}
    return {at: value for at, value in found.items() if not at[0].endswith(("_sum", "_bucket"))}


def test_writes_to_the_store(scraped: Scrapes) -> None:
    """Reads are asked of the store by upstream alone."""
    theirs, ours = (counts(family["etcd_requests_total"]) for family in (scraped.kube, scraped.kybern))
    writes = {at: value for at, value in theirs.items() if not {"operation=get", "operation=list"} & set(at)}
    assert ours == writes


REST = {
    "apiserver_watch_list_duration_seconds": ("resource=replicationcontrollers",),
    "pod_security_evaluations_total": ("resource=pod",),
    "pod_security_exemptions_total": ("resource=controller", "resource=pod"),
    "field_validation_request_duration_seconds": ("field_validation=",),
    "kube_apiserver_pod_logs_insecure_backend_total": ("usage=enforce_tls",),
    "apiserver_flowcontrol_work_estimated_seats": ("flow_schema=global-default",),
    "apiserver_flowcontrol_request_queue_length_after_enqueue": ("flow_schema=global-default",),
    "apiserver_request_total": ("subresource=/healthz", "subresource=openapi/v3/"),
    "apiserver_requested_deprecated_apis": ("resource=endpoints",),
    "authentication_attempts": ("result=error",),
    "kubernetes_feature_enabled": ("stage=", "stage=ALPHA", "stage=BETA", "stage=DEPRECATED"),
    "version_info": ("component=kube",),
    "aggregator_unavailable_apiservice": ("name=v1.", "name=v1.apps"),
    "kube_apiserver_clusterip_allocator_available_ips": ("cidr=10.96.0.0/16",),
}


@pytest.mark.parametrize("name", REST)
def test_the_rest(scraped: Scrapes, name: str) -> None:
    for label in REST[name]:
        timed = ("_sum", "_bucket") if name.endswith("duration_seconds") else ()
        theirs, ours = ({at: v for at, v in side[name].values.items() if label in at and not at[0].endswith(timed)}
                        for side in (scraped.kube, scraped.kybern))  # fmt: skip
        assert ours == theirs
        assert ours, label


def test_plugins_are_named_alike(scraped: Scrapes) -> None:
    """Kybern times those that a resource concerns; NodeRestriction is on, NamespaceLifecycle looks twice."""
    name = "apiserver_admission_controller_admission_duration_seconds"
    theirs, ours = (
        {at for at in side[name].values if at[0].endswith("_count")} for side in (scraped.kube, scraped.kybern)
    )
    assert ours
    others = {at for at in ours - theirs if not {"name=NodeRestriction", "name=NamespaceLifecycle"} & set(at)}
    assert others == set()


def test_denials_of_policies(scraped: Scrapes) -> None:
    """A policy is not obeyed from the same moment on."""
    theirs, ours = (side[POLICY].values.keys() for side in (scraped.kube, scraped.kybern))
    assert ours == theirs
