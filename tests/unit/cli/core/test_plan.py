"""The processes that options mean."""

import importlib
from itertools import pairwise
from pathlib import Path

from kybern.cli.core.layout import Layout, default_data_dir
from kybern.cli.core.options import ClusterOptions
from kybern.cli.core.plan import USERS, Node, make_plan, metrics_addresses, with_metrics

LAYOUT = Layout(Path("/data"))


def test_a_simulated_cluster_has_no_program_and_listens_on_loopback() -> None:
    plan = make_plan(ClusterOptions(simulated_nodes=7), LAYOUT, (), "127.0.0.1")
    assert [s.name for s in plan.specs] == [
        "apiserver", "gateway", "scheduler", "controllers", "traces", "dns", "simulated",
    ]  # fmt: skip
    assert all(not s.program for s in plan.specs)
    gateway = next(s for s in plan.specs if s.name == "gateway")
    assert gateway.arguments[gateway.arguments.index("--bind-address") + 1] == "127.0.0.1"


def test_the_api_alone_is_two_services_without_traces() -> None:
    plan = make_plan(ClusterOptions(api_only=True, nodes=0), LAYOUT, (), "127.0.0.1")
    assert [s.name for s in plan.specs] == ["apiserver", "gateway"]
    assert not any("traces" in part for s in plan.specs for part in s.arguments)


def test_a_real_node_brings_containerd_agent_and_proxy_in_its_namespace() -> None:
    node = Node("node-2", "10.245.0.2", "kybern-node-2")
    plan = make_plan(ClusterOptions(nodes=1), LAYOUT, (node,), "192.0.2.1")
    mine = [s for s in plan.specs if "node-2" in s.name]
    assert [s.name for s in mine] == ["containerd-node-2", "node-2", "proxy-node-2"]
    assert {s.namespace for s in mine} == {"kybern-node-2"}


def test_agents_stop_before_the_apiserver_and_containerd_last() -> None:
    plan = make_plan(ClusterOptions(nodes=1), LAYOUT, (Node("node-1", "192.0.2.1"),), "192.0.2.1")
    order = {s.name: s.stop_order for s in plan.specs}
    assert order["node-1"] < order["scheduler"] < order["apiserver"] < order["containerd-node-1"]


def test_names_are_unique() -> None:
    nodes = (Node("node-1", "192.0.2.1"), Node("node-2", "10.245.0.2", "kybern-node-2"))
    plan = make_plan(ClusterOptions(nodes=2, simulated_nodes=3), LAYOUT, nodes, "192.0.2.1")
    names = [s.name for s in plan.specs]
    assert len(names) == len(set(names))


def test_sockets_move_out_of_a_data_dir_with_a_long_path() -> None:
    short, long = Layout(Path("/data")), Layout(Path("/" + "x" * 90))
    assert short.run == Path("/data/run")
    assert len(str(long.run)) < 80
    assert long.run != Layout(Path("/" + "y" * 90)).run


def test_default_data_dirs() -> None:
    assert default_data_dir(True, "/root", "") == Path("/var/lib/kybern")
    assert default_data_dir(False, "/home/u", "") == Path("/home/u/.local/share/kybern")
    assert default_data_dir(False, "/home/u", "/x") == Path("/x/kybern")


def test_users_are_those_that_the_services_name() -> None:
    found = {name: importlib.import_module(f"kybern.{name}.service").SERVICE.user for name in USERS}
    assert found == USERS


def test_each_service_gets_a_metrics_port_of_its_own() -> None:
    plan = make_plan(ClusterOptions(nodes=1), LAYOUT, (Node("node-1", "192.0.2.1"),), "192.0.2.1")
    addresses = metrics_addresses(with_metrics(plan, list(range(9000, 9020))))
    assert set(addresses) == {s.name for s in plan.specs if s.service}
    assert len(set(addresses.values())) == len(addresses)


def test_flags_of_kube_apiserver_go_where_they_are_known() -> None:
    flags = ("audit-log-path=/tmp/a=b.log", "request-timeout=30s", "requestheader-allowed-names=a,b")
    plan = make_plan(ClusterOptions(apiserver_flags=flags), LAYOUT, (), "127.0.0.1")
    arguments = {spec.name: spec.arguments for spec in plan.specs}
    assert "--audit-log-path=/tmp/a=b.log" in arguments["apiserver"]
    assert {"--request-timeout=30s", "--requestheader-allowed-names=a,b"} <= set(arguments["gateway"])
    assert not any("request" in argument for argument in arguments["apiserver"])


def test_the_apiserver_is_told_of_encryption_and_of_tls_to_etcd() -> None:
    options = ClusterOptions(
        simulated_nodes=1, store="etcd://e:2379", etcd_cafile="/ca", etcd_certfile="/crt", etcd_keyfile="/key",
        encryption_provider_config="/enc.yaml",
    )  # fmt: skip
    plan = make_plan(options, LAYOUT, (), "127.0.0.1")
    arguments = next(s for s in plan.specs if s.name == "apiserver").arguments
    flags = dict(pairwise(arguments))
    assert (flags["--etcd-cafile"], flags["--etcd-certfile"], flags["--etcd-keyfile"]) == ("/ca", "/crt", "/key")
    assert flags["--encryption-provider-config"] == "/enc.yaml"
    assert flags["--encryption-provider-config-automatic-reload"] == "true"
    plain = make_plan(ClusterOptions(simulated_nodes=1), LAYOUT, (), "127.0.0.1")
    assert not [part for part in plain.specs[0].arguments if part.startswith(("--etcd", "--encryption"))]
