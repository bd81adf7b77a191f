"""Charging writes to quotas, and counting what is there."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.kube.quota.amounts import write
from kybern.kube.quota.charge import LimitedResource, QuotaRefusal, Write, decide_charge
from kybern.kube.quota.evaluators import evaluator
from kybern.kube.quota.total import total_usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PODS, SECRETS, SERVICES = evaluator("", "pods"), evaluator("", "secrets"), evaluator("", "services")


def quota(name: str = "q", hard: Any = None, used: Any = None, **spec: Any) -> dict[str, Any]:
    hard = hard or {}
    status = {"hard": hard, "used": used if used is not None else dict.fromkeys(hard, "0")}
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}, "status": status}


def pod(cpu: str = "1", **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "resources": {"requests": {"cpu": cpu}}}
    return {"metadata": {}, "spec": {"containers": [container], **spec}}


def charge(quotas: list[Any], wanted: Write, limited: Any = ()) -> Any:
    """The new use by quota, or the message of the refusal."""
    try:
        return {name: write(used) for name, used in decide_charge(quotas, wanted, NOW, limited).items()}
    except QuotaRefusal as refusal:
        return str(refusal)


NODE_PORT = {"spec": {"type": "NodePort", "ports": [{}]}}
CLUSTER_IP = {"spec": {"type": "ClusterIP", "ports": [{}]}}


@pytest.mark.parametrize(
    ("quotas", "wanted", "expected"),
    [
        pytest.param([], Write(SECRETS, {}), {}, id="no quotas"),
        pytest.param([quota(hard={"configmaps": "1"})], Write(SECRETS, {}), {}, id="about another kind"),
        pytest.param(
            [quota(hard={"secrets": "1", "pods": "5"})],
            Write(SECRETS, {}),
            {"q": {"pods": "0", "secrets": "1"}},
            id="counted",
        ),
        pytest.param(
            [quota("a", {"secrets": "2"}), quota("b", {"count/secrets": "1"}, {"count/secrets": "1"})],
            Write(SECRETS, {}),
            "exceeded quota: b, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1",
            id="all quotas must have room",
        ),
        pytest.param(
            [quota(hard={"requests.cpu": "1", "pods": "1"})],
            Write(PODS, pod("1500m")),
            "exceeded quota: q, requested: requests.cpu=1500m, used: requests.cpu=0, limited: requests.cpu=1",
            id="only what is exceeded is named",
        ),
        pytest.param(
            [quota(hard={"secrets": "1"}, used={})],
            Write(SECRETS, {}),
            "status unknown for quota: q, resources: secrets",
            id="not counted yet",
        ),
        pytest.param(
            [{"metadata": {"name": "q"}, "spec": {"hard": {"secrets": "0"}}}],
            Write(SECRETS, {}),
            {},
            id="no status: nothing is limited",
        ),
        pytest.param(
            [quota(hard={"limits.cpu": "1"})],
            Write(PODS, pod()),
            "failed quota: q: must specify limits.cpu for: c",
            id="must say",
        ),
        pytest.param(
            [quota(hard={"pods": "0"}, scopes=["Terminating"])], Write(PODS, pod()), {}, id="outside the scope"
        ),
        pytest.param(
            [quota(hard={"pods": "1"}, scopeSelector={"matchExpressions": [{"scopeName": "NotTerminating"}]})],
            Write(PODS, pod()),
            {"q": {"pods": "1"}},
            id="inside the scope",
        ),
        pytest.param(
            [quota(hard={"services": "0", "services.nodeports": "1"})],
            Write(SERVICES, NODE_PORT, CLUSTER_IP),
            {"q": {"services": "0", "services.nodeports": "1"}},
            id="an update is charged for what it adds",
        ),
        pytest.param(
            [quota(hard={"services.nodeports": "0"})], Write(SERVICES, CLUSTER_IP, NODE_PORT), {}, id="less is free"
        ),
        pytest.param(
            [quota(hard={"requests.cpu": "1"})],
            Write(PODS, pod("-1")),
            "quota usage is negative for resource(s): cpu,requests.cpu",
            id="negative",
        ),
    ],
)
def test_decide_charge(quotas: list[Any], wanted: Write, expected: Any) -> None:
    assert charge(quotas, wanted) == expected


def test_what_is_limited_needs_a_quota() -> None:
    limited = [LimitedResource("", "pods", contains=("pods",))]
    assert charge([], Write(PODS, pod()), limited) == "insufficient quota to consume: count/pods,pods"
    covering = quota(hard={"pods": "1", "count/pods": "1"})
    assert charge([covering], Write(PODS, pod()), limited) == {"q": {"count/pods": "1", "pods": "1"}}
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    limited = [LimitedResource("", "pods", scopes=(scope,))]
    important = Write(PODS, pod(priorityClassName="high"))
    assert charge([], important, limited) == "insufficient quota to match these scopes: [{PriorityClass In [high]}]"
    allowing = quota(hard={"pods": "1"}, scopeSelector={"matchExpressions": [scope]})
    assert charge([allowing], important, limited) == {"q": {"pods": "1"}}
    assert charge([], Write(PODS, pod()), limited) == {}


def test_total_usage() -> None:
    objects = {("", "pods"): [pod(), pod("2"), pod(activeDeadlineSeconds=5)], ("", "secrets"): [{}, {}]}

    def total(found: dict[str, Any]) -> dict[str, str]:
        return write(total_usage(found, lambda group, resource: objects.get((group, resource)), NOW))

    hard = {"pods": "9", "requests.cpu": "9", "secrets": "9", "count/widgets.example.com": "9", "limits.cpu": "9"}
    assert total(quota(hard=hard)) == {"limits.cpu": "0", "pods": "3", "requests.cpu": "4", "secrets": "2"}
    assert total(quota(hard={"pods": "9"}, scopes=["Terminating"])) == {"pods": "1"}


@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(0, 10), st.integers(0, 9000))
def test_charges_one_after_the_other_never_exceed(wanted: list[int], pods: int, millis: int) -> None:
    found = quota(hard={"pods": str(pods), "requests.cpu": f"{millis}m"})
    admitted = []
    for cpu in wanted:
        try:
            after = decide_charge([found], Write(PODS, pod(f"{cpu}m")), NOW)
        except QuotaRefusal:
            assert len(admitted) + 1 > pods or sum(admitted) + cpu > millis
            continue
        admitted.append(cpu)
        found["status"]["used"] = write(after["q"])
    assert len(admitted) <= pods
    assert sum(admitted) <= millis
