"""Which identity may call which method: the longest rule that matches decides, what no rule names is refused."""

from kybern.rpc.identity import NOBODY
from kybern.rpc.transport import ANYONE, Identity, Policy

MASTERS = "system:masters"
EVERYONE = frozenset({ANYONE})
OPEN = {
    "/grpc.health.v1.Health/": EVERYONE,
    "/grpc.reflection.v1alpha.ServerReflection/": EVERYONE,
    "/grpc.reflection.v1.ServerReflection/": EVERYONE,
}


def matching_rule(policy: Policy, method: str) -> frozenset[str]:
    """Users and groups allowed for a method (`/package.Service/Method`); empty if no rule names it."""
    service = method[: method.rfind("/") + 1]
    for rules in (policy.rules, OPEN):
        for name in (method, service):
            if name in rules:
                return rules[name]
    return frozenset()


def decide_allowed(policy: Policy, method: str, identity: Identity) -> bool:
    """Whether the identity may call the method."""
    if identity == NOBODY:
        return False
    if MASTERS in identity.groups:
        return True
    allowed = matching_rule(policy, method)
    return ANYONE in allowed or identity.user in allowed or not allowed.isdisjoint(identity.groups)
