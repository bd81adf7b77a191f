"""PriorityLevelConfiguration; the mandatory ones must say what they always say."""

import math

from kybern.kube.field import Struct, forbidden, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, same
from kybern.kube.validation.flow_schema import CATCH_ALL, EXEMPT, go_members

MOST_QUEUES, MOST_BITS = 10_000_000, 60.0
CATCH_ALL_LEVEL: Object = {
    "type": "Limited",
    "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}, "lendablePercent": 0},
}


def validate_priority_level(obj: Object) -> Errors:
    name, spec = child(obj, "metadata").get("name") or "", child(obj, "spec")
    kind = spec.get("type") or ""
    if (kind == "Exempt") != (name == EXEMPT):
        yield invalid("spec.type", kind, "must be 'Exempt' if and only if `name` is 'exempt'")
    if kind == "Exempt":
        if spec.get("limited") is not None:
            yield forbidden("spec.limited", "must be nil if the type is not Limited")
        yield from _shares(child(spec, "exempt"), "spec.exempt")
    elif kind == "Limited":
        if spec.get("exempt") is not None:
            yield forbidden("spec.exempt", "must be nil if the type is Limited")
        if spec.get("limited") is None:
            yield required("spec.limited", "must not be empty when type is Limited")
        else:
            yield from _limited(spec["limited"], "spec.limited")
    else:
        yield not_supported("spec.type", kind, ("Exempt", "Limited"))
    if name == EXEMPT and (kind != "Exempt" or spec.get("limited") is not None):
        detail = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
        yield invalid("spec", _go_level(spec), detail)
    if name == CATCH_ALL and not same(spec, CATCH_ALL_LEVEL):
        yield invalid("spec", _go_level(spec), f"spec of '{name}' must equal the fixed value")


def _go_level(spec: Object) -> Struct:
    limited, exempt = spec.get("limited"), spec.get("exempt")
    return Struct(
        Type=spec.get("type") or "",
        Limited=None if limited is None else _go_limited(limited),
        Exempt=None if exempt is None else go_members(exempt, nominalConcurrencyShares=None, lendablePercent=None),
    )


def _go_limited(limited: Object) -> Struct:
    response = child(limited, "limitResponse")
    queuing = response.get("queuing")
    return Struct(
        NominalConcurrencyShares=limited.get("nominalConcurrencyShares", 0),
        LimitResponse=Struct(
            Type=response.get("type") or "",
            Queuing=None if queuing is None else go_members(queuing, queues=0, handSize=0, queueLengthLimit=0),
        ),
        LendablePercent=limited.get("lendablePercent"),
        BorrowingLimitPercent=limited.get("borrowingLimitPercent"),
    )


def _shares(part: Object, path: str) -> Errors:
    shares, lendable = part.get("nominalConcurrencyShares", 0), part.get("lendablePercent", 0)
    if shares < 0:
        yield invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer")
    if not 0 <= lendable <= 100:
        yield invalid(f"{path}.lendablePercent", lendable, "must be between 0 and 100, inclusive")


def _limited(limited: Object, path: str) -> Errors:
    yield from _shares(limited, path)
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        yield invalid(f"{path}.borrowingLimitPercent", borrowing, "if specified, must be a non-negative integer")
    response, at = child(limited, "limitResponse"), f"{path}.limitResponse"
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            yield forbidden(f"{at}.queuing", "must be nil if limited.limitResponse.type is not Limited")
    elif kind == "Queue":
        if queuing is None:
            yield required(f"{at}.queuing", "must not be empty if limited.limitResponse.type is Limited")
        else:
            yield from _queuing(queuing, f"{at}.queuing")
    else:
        yield not_supported(f"{at}.type", kind, ("Queue", "Reject"))


def _queuing(queuing: Object, path: str) -> Errors:
    queues, hand, length = (queuing.get(name, 0) for name in ("queues", "handSize", "queueLengthLimit"))
    if length <= 0:
        yield invalid(f"{path}.queueLengthLimit", length, "must be positive")
    if queues <= 0:
        yield invalid(f"{path}.queues", queues, "must be positive")
    elif queues > MOST_QUEUES:
        yield invalid(f"{path}.queues", queues, f"must not be greater than {MOST_QUEUES}")
    if hand <= 0:
        yield invalid(f"{path}.handSize", hand, "must be positive")
    elif hand > queues:
        yield invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})")
    elif _entropy(queues, hand) > MOST_BITS:
        detail = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than 60"
        yield invalid(f"{path}.handSize", hand, detail)


def _entropy(deck: int, hand: int) -> float:
    """Bits that decide a hand: those of the number of hands."""
    return sum(math.log2(deck - index) for index in range(min(hand, 64)))
