import pytest

from kybern.rpc.policy import decide_allowed
from kybern.rpc.transport import ANYONE, Identity, Policy

GET, LIST = "/kybern.api.v1.Objects/Get", "/kybern.api.v1.Objects/List"
SERVICE = "/kybern.api.v1.Objects/"
ALICE = Identity("alice", ("dev", "ops"))


@pytest.mark.parametrize(
    ("name", "rules", "method", "identity", "allowed"),
    [
        ("no rule", {}, GET, ALICE, False),
        ("by user", {GET: {"alice"}}, GET, ALICE, True),
        ("by group", {GET: {"ops"}}, GET, ALICE, True),
        ("another method", {GET: {"alice"}}, LIST, ALICE, False),
        ("by service", {SERVICE: {"alice"}}, LIST, ALICE, True),
        ("the method's rule beats the service's", {SERVICE: {"alice"}, GET: {"bob"}}, GET, ALICE, False),
        ("a method without members", {SERVICE: {"alice"}, GET: set()}, GET, ALICE, False),
        ("anyone", {SERVICE: {ANYONE}}, GET, ALICE, True),
        ("anyone needs a name", {SERVICE: {ANYONE}}, GET, Identity(""), False),
        ("masters", {}, GET, Identity("root", ("system:masters",)), True),
        ("a service is not a prefix", {"/kybern.api.v1.Obj": {"alice"}}, GET, ALICE, False),
        ("a user is not a group", {GET: {"dev"}}, GET, Identity("dev"), True),
        ("health", {}, "/grpc.health.v1.Health/Check", ALICE, True),
        ("reflection", {}, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", ALICE, True),
        ("health can be closed", {"/grpc.health.v1.Health/": set()}, "/grpc.health.v1.Health/Check", ALICE, False),
        ("health needs a certificate", {}, "/grpc.health.v1.Health/Check", Identity(""), False),
    ],
)
def test_decide_allowed(name: str, rules: dict[str, set[str]], method: str, identity: Identity, allowed: bool) -> None:
    policy = Policy({method: frozenset(members) for method, members in rules.items()})
    assert decide_allowed(policy, method, identity) is allowed, name
