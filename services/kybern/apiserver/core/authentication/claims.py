"""From the claims of a verified JWT to a user, as its issuer's configuration says.

First the user is made (name, groups, uid, extra), then the rules over claims are asked, those over the user last.
"""

from typing import Any

from kybern.apiserver.core.authentication.id_token import Claims, ClaimsRefused, kind_of
from kybern.apiserver.core.authentication.jwt_config import Issuer, Mapped, Rule
from kybern.apiserver.core.user import User
from kybern.kube.cel import EvaluationError, Program

NEITHER = "expression must return a string or a list of strings"


CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"  # in a user's extra


def user_of(issuer: Issuer, claims: Claims) -> User:
    """Raises ClaimsRefused."""
    username = _username(issuer.username, claims)
    groups = tuple(_groups(issuer.groups, claims)) if issuer.groups else ()
    uid = _text(issuer.uid, claims, "uid claim") if issuer.uid else ""
    found = User(username, groups, uid, _extra(issuer, claims))
    for name, value in issuer.required.items():
        _check_required(claims, name, value)
    _check_rules(issuer.claim_rules, "claims", claims, "error evaluating claim validation expression")
    about = {
        "username": found.name,
        "uid": found.uid,
        "groups": list(found.groups),
        "extra": {key: list(values) for key, values in found.extra.items()},
    }
    _check_rules(issuer.user_rules, "user", about, "error evaluating user info validation rule")
    return found


def _username(mapped: Mapped, claims: Claims) -> str:
    found = _text(mapped, claims, "username claim", "username claims")
    if not found:
        through = " via CEL expression" if mapped.expression is not None else ""
        raise ClaimsRefused(f"empty username{through} is not allowed")
    if mapped.claim == "email" and "email_verified" in claims:
        verified = claims["email_verified"]
        if not isinstance(verified, bool | None):
            what = f"json: cannot unmarshal {kind_of(verified)} into Go value of type bool"
            raise ClaimsRefused(f"parse 'email_verified' claim: {what}")
        if not verified:
            raise ClaimsRefused("email not verified")
    return mapped.prefix + found


def _groups(mapped: Mapped, claims: Claims) -> list[str]:
    """A string, a list of strings, or nothing."""
    if mapped.expression is not None:
        what = "error evaluating group claim expression"
        return _strings(_evaluated(mapped.text, mapped.expression, "claims", claims, what), what)
    value = claims.get(mapped.claim)
    listed = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(one, str | None) for one in listed):
        raise ClaimsRefused(f'parse groups claim "{mapped.claim}": {_no_text(value)}')
    return [mapped.prefix + (one or "") for one in listed]


def _extra(issuer: Issuer, claims: Claims) -> dict[str, tuple[str, ...]]:
    values = {}
    for key, text, program in issuer.extra:
        try:
            values[key, text] = program.evaluate({"claims": claims})
        except EvaluationError as error:
            raise ClaimsRefused(_resulted(text, error), by="") from None
    found = {
        key: tuple(_strings(value, f"error evaluating extra claim expression: {text}"))
        for (key, text), value in values.items()
    }
    credential = {CREDENTIAL_ID: (f"JTI={claims['jti']}",)} if isinstance(claims.get("jti"), str) else {}
    return {**credential, **{key: texts for key, texts in found.items() if texts}}


def _check_required(claims: Claims, name: str, value: str) -> None:
    if name not in claims:
        raise ClaimsRefused(f"required claim {name} not present in ID token")
    found = claims[name]
    if not isinstance(found, str | None):
        raise ClaimsRefused(f"parse claim {name}: {_no_text(found)}")
    if (found or "") != value:
        raise ClaimsRefused(f"required claim {name} value does not match. Got = {found or ''}, want = {value}")


def _check_rules(rules: tuple[Rule, ...], variable: str, value: Any, what: str) -> None:
    for rule in rules:
        if _evaluated(rule.text, rule.expression, variable, value, what) is not True:
            raise ClaimsRefused(f"{what}: validation expression '{rule.text}' failed: {rule.message}")


def _evaluated(text: str, program: Program, variable: str, value: Any, what: str) -> Any:
    try:
        return program.evaluate({variable: value})
    except EvaluationError as error:
        raise ClaimsRefused(f"{what}: {_resulted(text, error)}") from None


def _resulted(text: str, error: EvaluationError) -> str:
    return f"expression '{text}' resulted in error: {error}"


def _text(mapped: Mapped, claims: Claims, what: str, plural: str = "") -> str:
    if mapped.expression is not None:
        failed = f"error evaluating {what} expression"
        found = _evaluated(mapped.text, mapped.expression, "claims", claims, failed)
        if not isinstance(found, str):
            raise ClaimsRefused(f"{failed}: {what} expression must return a string")
        return found
    at = f'parse {plural or what} "{mapped.claim}"'
    if mapped.claim not in claims:
        raise ClaimsRefused(f"{at}: claim not present")
    value = claims[mapped.claim]
    if not isinstance(value, str | None):
        raise ClaimsRefused(f"{at}: {_no_text(value)}")
    return value or ""


def _no_text(value: Any) -> str:
    return f"json: cannot unmarshal {kind_of(value)} into Go value of type string"


def _strings(value: Any, what: str) -> list[str]:
    """What an expression gives that may give several texts: empty ones are none."""
    listed = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(one, str) for one in listed):
        raise ClaimsRefused(f"{what}: {NEITHER}")
    return [one for one in listed if one]
