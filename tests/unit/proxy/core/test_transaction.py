"""The smallest transaction, against a model of the kernel that only knows chains, elements and references."""

import re
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from kybern.proxy.core.ports import Endpoint, ServicePort
from kybern.proxy.core.rules import Fragment, compute_fragment
from kybern.proxy.core.transaction import Table


@dataclass
class Kernel:
    """Applies commands strictly: nothing is added twice, nothing missing is deleted, nothing in use is deleted."""

    chains: dict[str, list[str]] = field(default_factory=dict)
    elements: set[tuple[str, str]] = field(default_factory=set)
    sets: dict[str, str] = field(default_factory=dict)

    def apply(self, text: str) -> None:
        for line in text.splitlines():
            verb, what, name, rest = re.match(r"(\w+) (\w+) ip kybern-proxy (\S+) ?(.*)", line).groups()  # type: ignore[union-attr]
            getattr(self, f"{verb}_{what}")(name, rest)
        for rules in self.chains.values():
            for rule in rules:
                for target in re.findall(r"(?:goto|jump) ((?:svc|ext|ep)\S*?)[ ,}]?(?= |$|,)", rule):
                    assert target in self.chains, rule
                for used in re.findall(r"@(aff\S+)", rule):
                    assert used in self.sets, rule
        for _, element in self.elements:
            for target in re.findall(r"goto ((?:svc|ext)\S+)", element):
                assert target in self.chains

    def add_chain(self, name: str, rest: str) -> None:
        assert name not in self.chains
        self.chains[name] = []

    def flush_chain(self, name: str, rest: str) -> None:
        self.chains[name].clear()

    def delete_chain(self, name: str, rest: str) -> None:
        assert not self.chains.pop(name), "a chain is emptied before it goes"
        assert not any(f"goto {name}" in r for rules in self.chains.values() for r in rules)
        assert not any(f"goto {name}" in e for _, e in self.elements)

    def add_rule(self, name: str, rest: str) -> None:
        self.chains[name].append(rest)

    def add_set(self, name: str, rest: str) -> None:
        assert name not in self.sets
        self.sets[name] = rest

    def delete_set(self, name: str, rest: str) -> None:
        del self.sets[name]
        assert not any(f"@{name}" in r for rules in self.chains.values() for r in rules)

    def add_element(self, name: str, rest: str) -> None:
        element = rest[2:-2]
        key = element.partition(" : ")[0]
        assert not any(n == name and e.partition(" : ")[0] == key for n, e in self.elements)
        self.elements.add((name, element))

    def delete_element(self, name: str, rest: str) -> None:
        matching = [(n, e) for n, e in self.elements if n == name and e.partition(" : ")[0] == rest[2:-2]]
        assert len(matching) == 1
        self.elements.remove(matching[0])


def desired(fragments: dict[str, Fragment]) -> tuple[dict[str, list[str]], set[tuple[str, str]], dict[str, str]]:
    chains = {name: list(rules) for f in fragments.values() for name, rules in f.chains.items()}
    sets = {name: text for f in fragments.values() for name, text in f.sets.items()}
    return chains, {e for f in fragments.values() for e in f.elements}, sets


ENDPOINTS = st.lists(
    st.builds(Endpoint, ip=st.sampled_from(["10.244.0.5", "10.244.0.6"]), port=st.just(80), local=st.booleans()),
    unique_by=lambda e: e.ip,
)


@st.composite
def fragments(draw: st.DrawFn, number: int) -> Fragment:
    if draw(st.booleans()):
        return Fragment()
    return compute_fragment(
        [
            ServicePort(
                service=f"default/s{number}",
                name="",
                protocol=draw(st.sampled_from(["tcp", "udp"])),
                port=80,
                cluster_ips=(f"10.96.0.{number}",),
                external_ips=draw(st.sampled_from([(), (f"203.0.113.{number}",)])),
                node_port=draw(st.sampled_from([0, 30000 + number])),
                affinity_seconds=draw(st.sampled_from([0, 60, 90])),
                internal_local=draw(st.booleans()),
                external_local=draw(st.booleans()),
                endpoints=tuple(draw(ENDPOINTS)),
            )
        ]
    )


CHANGES = st.lists(
    st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(f"default/s{n}"), fragments(n))), min_size=1, max_size=12
)


@given(CHANGES)
def test_any_sequence_of_changes_leads_to_the_desired_rules(changes: list[tuple[str, Fragment]]) -> None:
    table, kernel = Table("10.244.0.0/16"), Kernel()
    for key, fragment in changes:
        kernel.apply(table.change({key: fragment}))
        assert (kernel.chains, kernel.elements, kernel.sets) == desired(table.fragments)


def test_no_change_needs_no_command() -> None:
    table = Table("10.244.0.0/16")
    port = ServicePort("default/a", "", "tcp", 80, ("10.96.0.1",), (), 0, 0, False, False, (Endpoint("10.244.0.5", 1),))
    assert table.change({"default/a": compute_fragment([port])})
    assert table.change({"default/a": compute_fragment([port])}) == ""


def test_one_endpoint_more_is_a_handful_of_commands() -> None:
    table = Table("10.244.0.0/16")
    one = (Endpoint("10.244.0.5", 80),)
    two = (*one, Endpoint("10.244.0.6", 80))

    def port(endpoints: tuple[Endpoint, ...]) -> Fragment:
        return compute_fragment(
            [ServicePort("default/a", "", "tcp", 80, ("10.96.0.1",), (), 0, 0, False, False, endpoints)]
        )

    table.change({"default/a": port(one)})
    assert table.change({"default/a": port(two)}).count("\n") == 3
