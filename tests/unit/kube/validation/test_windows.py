"""Host processes of Windows: all containers or none, in the host's network."""

from typing import Any

import pytest

from kybern.kube.validation.windows import validate_host_processes, validate_windows_options

ALL = (
    'spec: Invalid value: "": '
    "If pod contains any hostProcess containers then all containers must be HostProcess containers"
)
NETWORK = "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers"


def holder(host_process: bool | None) -> dict[str, Any]:
    return {} if host_process is None else {"securityContext": {"windowsOptions": {"hostProcess": host_process}}}


ROWS: list[tuple[bool | None, list[bool | None], bool, list[str]]] = [
    (None, [None], False, []),
    (False, [None], False, []),
    (True, [None, None], True, []),
    (True, [None], False, [NETWORK]),
    (None, [True, None], True, [ALL]),
    (None, [True, None], False, [ALL, NETWORK]),
]


@pytest.mark.parametrize(("of_pod", "of_containers", "host_network", "wrong"), ROWS)
def test_host_processes(
    of_pod: bool | None, of_containers: list[bool | None], host_network: bool, wrong: list[str]
) -> None:
    spec = {**holder(of_pod), "containers": [holder(one) for one in of_containers], "hostNetwork": host_network}
    assert [str(error) for error in validate_host_processes(spec, "spec")] == wrong


def test_a_container_may_not_contradict_its_pod() -> None:
    spec = {**holder(True), "containers": [holder(False), holder(None)], "hostNetwork": True}
    assert [str(error) for error in validate_host_processes(spec, "spec")] == [
        "spec.containers[0].securityContext.windowsOptions.hostProcess: Invalid value: false: "
        "pod hostProcess value must be identical if both are specified, was true",
        ALL,
    ]


def test_a_user_has_a_name() -> None:
    assert [str(error) for error in validate_windows_options({"runAsUserName": ""}, "o")] == [
        'o.runAsUserName: Invalid value: "": runAsUserName cannot be an empty string'
    ]
