"""Packets through the rules: a client, two servers and a router with the table, each a network namespace."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kybern.proxy.core.ports import Endpoint, ServicePort
from kybern.proxy.core.rules import cidr_fragment, compute_fragment
from kybern.proxy.core.transaction import Table

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]
CLUSTER_IP, NODE_PORT = "10.96.0.9", 30080
SERVER = """
import socket, sys, threading
def answer(c, peer):
    c.sendall(f"{sys.argv[1]} {peer[0]}".encode()); c.close()
s = socket.create_server(("0.0.0.0", 8080)); print("up", flush=True)
while True: threading.Thread(target=answer, args=s.accept()).start()
"""
CLIENT = """
import socket, sys
try:
    c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1.0); print(c.recv(99).decode())
except ConnectionRefusedError: print("refused")
except TimeoutError: print("timeout")
"""
UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 8081)); print("up", flush=True)
while True: s.sendto(sys.argv[1].encode(), s.recvfrom(99)[1])
"""
UDP_CLIENT = """
import socket, sys
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.bind(("0.0.0.0", 5353)); c.settimeout(1.0)
c.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
try: print(c.recv(99).decode())
except TimeoutError: print("timeout")
"""
CLEAN = """
import ast, sys
from kybern.proxy import conntrack
from kybern.proxy.core.conntrack import Frontends
print(conntrack.clean(Frontends(*ast.literal_eval(sys.argv[1]))))
"""
APPLY = "import sys; from kybern.proxy.nftables import Nftables; Nftables().run(sys.stdin.read())"


def sh(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True, timeout=10)


class Net:
    """router: 10.244.0.1 on a bridge with pods a (10.244.0.5) and b (10.244.0.6), 10.99.0.1 towards the client."""

    def __init__(self) -> None:
        self.tag = f"kt{os.getpid() % 100000}"
        self.processes: list[subprocess.Popen[str]] = []
        self.table = Table("10.244.0.0/16")
        for name in ("router", "client", "a", "b"):
            sh(f"ip netns add {self.ns(name)}")
            sh(f"ip -n {self.ns(name)} link set lo up")
        router = self.ns("router")
        sh(f"ip -n {router} link add br0 type bridge")
        sh(f"ip -n {router} addr add 10.244.0.1/24 dev br0")
        sh(f"ip -n {router} link set br0 up")
        for pod, address in (("a", "10.244.0.5"), ("b", "10.244.0.6")):
            sh(f"ip -n {router} link add v{pod} type veth peer name eth0 netns {self.ns(pod)}")
            sh(f"ip -n {router} link set v{pod} master br0 up")
            (self.run(router, f"echo 1 > /sys/class/net/v{pod}/brport/hairpin_mode"))
            self.address(pod, address, "10.244.0.1")
        sh(f"ip -n {router} link add vc type veth peer name eth0 netns {self.ns('client')}")
        sh(f"ip -n {router} addr add 10.99.0.1/24 dev vc")
        sh(f"ip -n {router} link set vc up")
        self.address("client", "10.99.0.2", "10.99.0.1")
        sh(f"ip -n {router} link add out type veth peer name out-peer")
        sh(f"ip -n {router} link set out-peer up")
        sh(f"ip -n {router} link set out up")
        sh(f"ip -n {router} route add default dev out")
        self.run(router, "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")
        self.run(router, "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for pod in ("a", "b"):
            self.serve(pod)
        self.nft(self.table.whole())

    def ns(self, name: str) -> str:
        return f"{self.tag}-{name}"

    def run(self, namespace: str, script: str) -> None:
        subprocess.run(["ip", "netns", "exec", namespace, "sh", "-c", script], check=True, timeout=10)

    def address(self, name: str, address: str, gateway: str) -> None:
        sh(f"ip -n {self.ns(name)} addr add {address}/24 dev eth0")
        sh(f"ip -n {self.ns(name)} link set eth0 up")
        sh(f"ip -n {self.ns(name)} route add default via {gateway}")

    def serve(self, pod: str, program: str = SERVER) -> None:
        command = ["ip", "netns", "exec", self.ns(pod), sys.executable, "-c", program, pod]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        self.processes.append(process)

    def nft(self, text: str) -> None:
        command = ["ip", "netns", "exec", self.ns("router"), sys.executable, "-c", APPLY]
        subprocess.run(command, input=text, text=True, check=True, timeout=20)

    def desire(self, *ports: ServicePort) -> None:
        self.nft(self.table.change({"default/web": compute_fragment(ports)}))

    def ask(self, source: str, address: str, port: int, program: str = CLIENT) -> str:
        return self.python(source, program, address, str(port))

    def python(self, namespace: str, program: str, *arguments: str) -> str:
        command = ["ip", "netns", "exec", self.ns(namespace), sys.executable, "-c", program, *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True).stdout.strip()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        for name in ("router", "client", "a", "b"):
            sh(f"ip netns del {self.ns(name)}")


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    net = Net()
    yield net
    net.close()


A, B = Endpoint("10.244.0.5", 8080), Endpoint("10.244.0.6", 8080)
PORT = ServicePort("default/web", "http", "tcp", 80, (CLUSTER_IP,), (), 0, 0, False, False, (A, B))


def test_connections_to_the_cluster_ip_reach_every_endpoint(net: Net) -> None:
    net.desire(PORT)
    answers = {net.ask("client", CLUSTER_IP, 80).split()[0] for _ in range(20)}
    assert answers == {"a", "b"}


def test_the_host_itself_reaches_the_cluster_ip(net: Net) -> None:
    net.desire(PORT)
    assert net.ask("router", CLUSTER_IP, 80).split()[0] in ("a", "b")


def test_a_pod_keeps_its_address_towards_another_pod(net: Net) -> None:
    net.desire(replace(PORT, endpoints=(B,)))
    assert net.ask("a", CLUSTER_IP, 80) == "b 10.244.0.5"


def test_a_pod_reaches_itself_through_its_service(net: Net) -> None:
    net.desire(replace(PORT, endpoints=(A,)))
    assert net.ask("a", CLUSTER_IP, 80) == "a 10.244.0.1"


def test_node_port_is_masqueraded(net: Net) -> None:
    net.desire(replace(PORT, node_port=NODE_PORT, endpoints=(A,)))
    assert net.ask("client", "10.99.0.1", NODE_PORT) == "a 10.244.0.1"


def test_external_traffic_policy_local_keeps_the_client_address(net: Net) -> None:
    local = replace(A, local=True)
    net.desire(replace(PORT, node_port=NODE_PORT, endpoints=(local, B), external_local=True))
    assert {net.ask("client", "10.99.0.1", NODE_PORT) for _ in range(5)} == {"a 10.99.0.2"}


def test_external_traffic_policy_local_without_local_endpoints_drops(net: Net) -> None:
    net.desire(replace(PORT, node_port=NODE_PORT, endpoints=(B,), external_local=True))
    assert net.ask("client", "10.99.0.1", NODE_PORT) == "timeout"


def test_no_endpoints_and_other_ports_are_refused_at_once(net: Net) -> None:
    net.desire(replace(PORT, endpoints=(), node_port=NODE_PORT))
    began = time.monotonic()
    assert net.ask("client", CLUSTER_IP, 80) == "refused"
    assert net.ask("client", "10.99.0.1", NODE_PORT) == "refused"
    net.desire(PORT)
    assert net.ask("client", CLUSTER_IP, 81) == "refused"
    assert time.monotonic() - began < 3.0


def test_session_affinity_sticks_to_one_endpoint(net: Net) -> None:
    net.desire(replace(PORT, affinity_seconds=60))
    assert len({net.ask("client", CLUSTER_IP, 80) for _ in range(8)}) == 1


def test_external_address(net: Net) -> None:
    net.desire(replace(PORT, external_ips=("203.0.113.7",), endpoints=(A,)))
    assert net.ask("client", "203.0.113.7", 80).split()[0] == "a"


def test_udp_flows_follow_the_endpoints_once_the_old_ones_are_forgotten(net: Net) -> None:
    for pod in ("a", "b"):
        net.serve(pod, UDP_SERVER)
    old, new = Endpoint("10.244.0.5", 8081), Endpoint("10.244.0.6", 8081)
    udp = replace(PORT, protocol="udp", port=53, node_port=30053)
    net.desire(replace(udp, endpoints=(old,)))
    targets = ((CLUSTER_IP, 53), ("10.99.0.1", 30053))
    assert [net.ask("client", *target, UDP_CLIENT) for target in targets] == ["a", "a"]
    net.desire(replace(udp, endpoints=(new,)))
    assert [net.ask("client", *target, UDP_CLIENT) for target in targets] == ["a", "a"]  # the kernel remembers
    both = repr(({(CLUSTER_IP, 53): {(old.ip, 8081), (new.ip, 8081)}}, {}))
    assert net.python("router", CLEAN, both) == "0"
    serving = {(new.ip, 8081)}
    assert net.python("router", CLEAN, repr(({(CLUSTER_IP, 53): serving}, {30053: serving}))) == "2"
    assert [net.ask("client", *target, UDP_CLIENT) for target in targets] == ["b", "b"]


def test_cluster_ips_that_nobody_has_lead_nowhere(net: Net) -> None:
    stray = "10.96.0.77"
    sh(f"ip -n {net.ns('b')} addr add {stray}/32 dev lo")
    sh(f"ip -n {net.ns('router')} route add {stray} via 10.244.0.6")
    net.desire(PORT)
    assert net.ask("client", stray, 8080).startswith("b")
    cidrs = [{"spec": {"cidrs": ["10.96.0.0/16", "10.96.0.0/24"]}}, {"spec": {"cidrs": ["10.97.0.0/24", "fd00::/112"]}}]
    net.nft(net.table.change({"servicecidrs": cidr_fragment(cidrs)}))
    assert net.ask("client", stray, 8080) == "timeout"
    assert net.ask("client", CLUSTER_IP, 80).split()[0] in ("a", "b")
    net.nft(net.table.change({"servicecidrs": cidr_fragment(cidrs[1:])}))
    assert net.ask("client", stray, 8080).startswith("b")
