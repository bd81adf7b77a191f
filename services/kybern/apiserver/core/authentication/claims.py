"""From the claims of a verified JWT to a user, as its issuer's configuration says."""

from collections.abc import Mapping
from typing import Any

from kybern.apiserver.core.authentication.jwt_config import Issuer, Mapped, Rule
from kybern.apiserver.core.user import User
from kybern.kube.cel import EvaluationError, Program

Claims = Mapping[str, Any]


class ClaimsRefused(Exception):
    """Why a token whose signature is good is not accepted."""


def user_of(issuer: Issuer, claims: Claims, now: float) -> User:
    """Raises ClaimsRefused."""
    check_times(claims, now)
    for name, value in issuer.required.items():
        if claims.get(name) != value:
            raise ClaimsRefused(f'required claim {name} does not have the value "{value}"')
    _check_rules(issuer.claim_rules, "claims", claims)
    username = _text(issuer.username, claims, "username")
    if not username:
        raise ClaimsRefused("the username is empty")
    if issuer.username.claim == "email" and claims.get("email_verified", True) is not True:
        raise ClaimsRefused("email not verified")
    found = User(
        issuer.username.prefix + username,
        tuple(issuer.groups.prefix + group for group in _texts(issuer.groups, claims, "groups")),
        _text(issuer.uid, claims, "uid") if issuer.uid else "",
        {key: values for key, program in issuer.extra if (values := _values(program, claims, key))},
    )
    about = {
        "username": found.name,
        "uid": found.uid,
        "groups": list(found.groups),
        "extra": {key: list(values) for key, values in found.extra.items()},
    }
    _check_rules(issuer.user_rules, "user", about)
    return found


def matching_audiences(issuer: Issuer, claims: Claims) -> tuple[str, ...]:
    """Those of the issuer's audiences that the token is for. Raises ClaimsRefused."""
    given = claims.get("aud")
    given = [given] if isinstance(given, str) else given or []
    found = tuple(audience for audience in issuer.audiences if audience in given)
    if not found:
        raise ClaimsRefused(f"expected audience in {list(issuer.audiences)} got {given}")
    return found


def check_times(claims: Claims, now: float) -> None:
    """Raises ClaimsRefused for a token that has ended, or not begun."""
    expires, begins = claims.get("exp"), claims.get("nbf")
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        raise ClaimsRefused("token has no expiry")
    if expires <= now:
        raise ClaimsRefused("token is expired")
    if isinstance(begins, int | float) and begins > now + 300:  # clocks differ
        raise ClaimsRefused("current time is before the token's nbf (not before) time")


def _check_rules(rules: tuple[Rule, ...], variable: str, value: Any) -> None:
    for rule in rules:
        if _evaluate(rule.expression, variable, value) is not True:
            raise ClaimsRefused(rule.message)


def _evaluate(program: Program, variable: str, value: Any) -> Any:
    try:
        return program.evaluate({variable: value})
    except EvaluationError as error:
        raise ClaimsRefused(f"expression failed: {error}") from None


def _value(mapped: Mapped, claims: Claims) -> Any:
    if mapped.expression is not None:
        return _evaluate(mapped.expression, "claims", claims)
    return claims.get(mapped.claim)


def _text(mapped: Mapped, claims: Claims, what: str) -> str:
    value = _value(mapped, claims)
    if not isinstance(value, str):
        raise ClaimsRefused(f"{what}: {mapped.claim or 'the expression'} is no string")
    return value


def _texts(mapped: Mapped, claims: Claims, what: str) -> list[str]:
    """A string, a list of strings, or nothing."""
    return _strings(_value(mapped, claims), what) if mapped else []


def _values(program: Program, claims: Claims, key: str) -> tuple[str, ...]:
    return tuple(_strings(_evaluate(program, "claims", claims), f"extra {key}"))


def _strings(value: Any, what: str) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ClaimsRefused(f"{what}: neither a string nor a list of strings")
    return [one for one in value if one]
