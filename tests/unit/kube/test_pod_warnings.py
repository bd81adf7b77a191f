"""What is warned of in pods and templates, as a kube-apiserver 1.36 says it."""

from typing import Any

import pytest

from kybern.kube.pod_warnings import pod_warnings, template_warnings

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, []),
    "an old label": (
        {"nodeSelector": {"beta.kubernetes.io/os": "x"}},
        ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
    ),
    "variables twice": (
        {"containers": [{"env": [{"name": "A"}, {"name": "A", "value": "x"}, {"name": "B"}]}]},
        ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
    ),
    "a variable made of itself": ({"containers": [{"env": [{"name": "A"}, {"name": "A", "value": "$(A) y"}]}]}, []),
    "ports of two containers": (
        {"containers": [{"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 80, "hostPort": 1}]}]},
        ["spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[0]"],
    ),
    "a port twice": (
        {"containers": [{"ports": [{"containerPort": 80}, {"containerPort": 80}]}]},
        ["spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"],
    ),
    "half a byte": (
        {"containers": [{"resources": {"limits": {"memory": "500m", "cpu": "500m"}}}]},
        [
            'spec.containers[0].resources.limits[memory]: fractional byte value "500m" is invalid, must be an integer',
        ],
    ),
    "secrets": (
        {"imagePullSecrets": [{"name": "a"}, {"name": "a"}, {}]},
        [
            'spec.imagePullSecrets[1].name: duplicate name "a"',
            'spec.imagePullSecrets[2].name: invalid empty name ""',
        ],
    ),
    "an old volume and overlapping files": (
        {
            "volumes": [
                {"name": "r", "rbd": {}},
                {"name": "s", "secret": {"secretName": "c", "items": [{"path": "x"}, {"path": "x/y"}]}},
            ]
        },
        [
            "spec.volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+",
            'volume "s" (Secret "c"): overlapping paths: "x/y" with "x"',
        ],
    ),
    "spread": (
        {"topologySpreadConstraints": [{"topologyKey": "z"}]},
        ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_pod(case: str) -> None:
    spec, wanted = CASES[case]
    assert pod_warnings({"metadata": {"name": "p"}, "spec": spec}) == wanted


def test_a_name_that_is_no_label() -> None:
    (found,) = pod_warnings({"metadata": {"name": "a.b"}, "spec": {}})
    assert found.endswith("a DNS label is recommended: [must not contain dots]")


def test_template() -> None:
    template = {"metadata": {"name": "a.b"}, "spec": {"terminationGracePeriodSeconds": -1}}
    assert template_warnings(template, "spec.template") == [
        "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be "
        "treated as 1"
    ]
