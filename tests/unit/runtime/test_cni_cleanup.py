"""What is taken back of CNI's records and portmap's chains, and what is left alone."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from kybern.runtime import cni_cleanup
from kybern.runtime.cni_cleanup import chain_name, compute_frame_removal, compute_removal

OURS = chain_name("kybern", "68d7")
THEIRS = "CNI-DN-aaaaaaaaaaaaaaaaaaaaa"


def chain(name: str) -> dict[str, Any]:
    return {"chain": {"family": "ip", "table": "nat", "name": name}}


def jump(source: str, target: str, handle: int) -> dict[str, Any]:
    return {"rule": {"chain": source, "handle": handle, "expr": [{"counter": {}}, {"jump": {"target": target}}]}}


FRAME = [chain("PREROUTING"), chain("CNI-HOSTPORT-DNAT"), chain("CNI-HOSTPORT-MASQ")]
FRAME += [jump("PREROUTING", "CNI-HOSTPORT-DNAT", 1), jump("POSTROUTING", "CNI-HOSTPORT-MASQ", 2)]
TABLE = [*FRAME, chain(OURS), chain(THEIRS), jump("CNI-HOSTPORT-DNAT", OURS, 7), jump("CNI-HOSTPORT-DNAT", THEIRS, 8)]


def test_chain_is_named_as_portmap_names_it() -> None:
    sandbox = "9e3f716a1232346c415da39a3c7ab2768d06fa5f968a5e6f79d76a578c7883e9"
    assert len(chain_name("kybern", sandbox)) == 28
    assert chain_name("kybern", sandbox) != chain_name("other", sandbox)


def test_only_the_chains_named_are_removed() -> None:
    assert compute_removal(TABLE, {OURS, "CNI-DN-gone"}) == [
        "delete rule ip nat CNI-HOSTPORT-DNAT handle 7",
        f"flush chain ip nat {OURS}",
        f"delete chain ip nat {OURS}",
    ]
    assert compute_removal(TABLE, set()) == []
    assert compute_removal([], {OURS}) == []


def test_frame_goes_and_other_chains_stay() -> None:
    foreign = [chain("DOCKER"), jump("PREROUTING", "DOCKER", 3)]
    assert compute_frame_removal([*FRAME, *foreign]) == [
        "delete rule ip nat PREROUTING handle 1",
        "delete rule ip nat POSTROUTING handle 2",
        "flush chain ip nat CNI-HOSTPORT-DNAT",
        "flush chain ip nat CNI-HOSTPORT-MASQ",
        "delete chain ip nat CNI-HOSTPORT-DNAT",
        "delete chain ip nat CNI-HOSTPORT-MASQ",
    ]
    assert compute_frame_removal(foreign) == []


def result(conf_dir: str, sandbox: str) -> str:
    config = base64.b64encode(json.dumps({"ipam": {"dataDir": f"{conf_dir}/ipam"}}).encode()).decode()
    return json.dumps({"kind": "cniCacheV1", "containerId": sandbox, "networkName": "kybern", "config": config})


def test_only_this_nodes_results_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[set[str]] = []
    monkeypatch.setattr(cni_cleanup, "RESULTS", tmp_path)
    monkeypatch.setattr(cni_cleanup, "remove_port_mappings", removed.append)
    (tmp_path / "kybern-68d7-eth0").write_text(result("/data/cni", "68d7"))
    (tmp_path / "cni-loopback-68d7-lo").write_text("{}")
    (tmp_path / "kybern-99-eth0").write_text(result("/other/cni", "99"))
    (tmp_path / "cni-loopback-99-lo").write_text("{}")
    (tmp_path / "broken").write_text("no json")
    cni_cleanup.forget_sandboxes(Path("/data/cni"))
    assert {path.name for path in tmp_path.iterdir()} == {"kybern-99-eth0", "cni-loopback-99-lo", "broken"}
    assert removed == [{OURS}]
