"""An AuthenticationConfiguration read: everything that is wrong with it is told, in Kubernetes' words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates

from kybern.apiserver.core.authentication.claims_used import uses_claim
from kybern.apiserver.core.authentication.jwt_config import (
    Anonymous,
    Configuration,
    ConfigurationInvalid,
    Issuer,
    Mapped,
    Rule,
)
from kybern.apiserver.core.strict_members import AUTHENTICATION, check_members
from kybern.kube.cel import CompileError, Program, compiler
from kybern.kube.cel.shapes import ListOf, MapOf, Scalar, Structs, struct
from kybern.kube.field import FieldError, duplicate, invalid, required
from kybern.kube.validation.domain_paths import domain_prefixed_path

Object = dict[str, Any]
VERSIONS = tuple(f"apiserver.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
MOST_ISSUERS = 64
CONTROLLERS = ("", "controlplane", "cluster")
_EITHER = "claim or expression is required"
_BOTH = "claim and expression can't both be set"
_RESERVED = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
_UNVERIFIED = (
    "claims.email_verified must be used in claimMappings.username.expression or "
    "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in "
    "claimMappings.username.expression"
)
_PREFIX = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
_CERTIFICATES = "data does not contain any valid RSA or ECDSA certificates"


@dataclass
class Reading:
    """One issuer on the way: its problems, and the claims that expressions of some places use."""

    errors: list[FieldError] = field(default_factory=list)
    programs: dict[str, Program] = field(default_factory=dict)

    def compiled(self, path: str, expression: str, variable: str, boolean: bool = False) -> Program | None:
        """Says what is wrong with the expression."""
        try:
            program = Program(compiler.check(expression, _environments()[variable]), (variable,))
        except CompileError as error:
            self.errors.append(invalid(path, expression, f"compilation failed: {error}"))
            return None
        if boolean and str(program.result_type) != "bool":
            self.errors.append(invalid(path, expression, "must evaluate to bool"))
            return None
        self.programs[path] = program
        return program


@lru_cache(maxsize=1)
def _environments() -> dict[str, compiler.Environment]:
    text, structs = Scalar("string"), Structs()
    user = struct({"username": text, "uid": text, "groups": ListOf(text), "extra": MapOf(ListOf(text))}, "user")
    claims = compiler.Environment({"claims": structs.type_of(MapOf(Scalar("dyn")), "claims")})
    return {"claims": claims, "user": compiler.Environment({"user": structs.type_of(user, "user")}, structs)}


def read_configuration(document: Any) -> Configuration:
    """Raises ConfigurationInvalid."""
    if not isinstance(document, dict) or document.get("kind") != "AuthenticationConfiguration":
        raise ConfigurationInvalid("it must be an AuthenticationConfiguration")
    if document.get("apiVersion") not in VERSIONS:
        raise ConfigurationInvalid(f"apiVersion must be one of {', '.join(VERSIONS)}")
    try:
        check_members(document, AUTHENTICATION)
    except ValueError as error:
        raise ConfigurationInvalid(str(error)) from None
    errors: list[FieldError] = []
    entries = document.get("jwt") or []
    anonymous = _anonymous(document.get("anonymous"), errors)
    issuers: list[Issuer] = []
    for index, entry in enumerate(entries):
        issuers.append(_issuer(f"jwt[{index}]", entry or {}, issuers, errors))
    if len(entries) > MOST_ISSUERS:
        raise ConfigurationInvalid(f"jwt: Too many: {len(entries)}: must have at most {MOST_ISSUERS} items")
    if errors:
        told = list(dict.fromkeys(map(str, errors)))
        raise ConfigurationInvalid(told[0] if len(told) == 1 else f"[{', '.join(told)}]")
    return Configuration(tuple(issuers), anonymous)


def _anonymous(entry: Object | None, errors: list[FieldError]) -> Anonymous | None:
    if entry is None:
        return None
    paths = [condition.get("path") or "" for condition in entry.get("conditions") or ()]
    if paths and not entry.get("enabled"):
        what = "enabled should be set to true when conditions are defined"
        errors.append(invalid("anonymous.conditions", entry["conditions"], what))
    return Anonymous(bool(entry.get("enabled")), frozenset(paths) if paths else None)


def _issuer(path: str, entry: Object, before: list[Issuer], errors: list[FieldError]) -> Issuer:
    """The issuer; what is wrong with it is added to the errors."""
    reading = Reading(errors)
    about, mappings = entry.get("issuer") or {}, entry.get("claimMappings") or {}
    url, discovery = about.get("url") or "", about.get("discoveryURL") or ""
    audiences = tuple(about.get("audiences") or ())
    errors += check_url(f"{path}.issuer.url", url) or _unique(f"{path}.issuer.url", url, [one.url for one in before])
    if discovery:
        at = f"{path}.issuer.discoveryURL"
        if url and url.rstrip("/") == discovery.rstrip("/"):
            errors.append(invalid(at, discovery, "discoveryURL must be different from URL"))
        wrong = check_url(at, discovery)
        errors += wrong or _unique(at, discovery, [one.discovery_url for one in before])
    _check_audiences(f"{path}.issuer", audiences, about.get("audienceMatchPolicy") or "", errors)
    authority = about.get("certificateAuthority") or ""
    if authority and not _certificates(authority):
        errors.append(invalid(f"{path}.issuer.certificateAuthority", "<omitted>", _CERTIFICATES))
    egress = about.get("egressSelectorType") or ""
    if egress not in CONTROLLERS:
        what = "egress selector must be either controlplane or cluster"
        errors.append(invalid(f"{path}.issuer.egressSelectorType", egress, what))
    required_claims, claim_rules = _claim_rules(path, entry.get("claimValidationRules") or (), reading)
    at = f"{path}.claimMappings"
    username = _mapped(f"{at}.username", mappings.get("username") or {}, reading, prefixed=True, needed=True)
    groups = _mapped(f"{at}.groups", mappings.get("groups") or {}, reading, prefixed=True)
    uid = _mapped(f"{at}.uid", mappings.get("uid") or {}, reading)
    extra = _extra(f"{at}.extra", mappings.get("extra") or (), reading)
    _check_email(path, username, reading)
    user_rules = _user_rules(path, entry.get("userValidationRules") or (), reading)
    return Issuer(
        url, audiences, username, groups, uid, extra, required_claims, claim_rules, user_rules, discovery, authority
    )


def check_url(path: str, url: str) -> list[FieldError]:
    """What is wrong with the URL of an issuer."""
    if not url:
        return [required(path)]
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return [invalid(path, url, str(error))]
    if parts.scheme != "https":
        return [invalid(path, url, "URL scheme must be https")]
    problems = []
    if parts.username is not None or parts.password is not None:
        problems.append(invalid(path, url, "URL must not contain a username or password"))
    if parts.query:
        problems.append(invalid(path, url, "URL must not contain a query"))
    if parts.fragment:
        problems.append(invalid(path, url, "URL must not contain a fragment"))
    if not parts.hostname:
        problems.append(invalid(path, url, "URL must have a host"))
    return problems


def _unique(path: str, value: str, others: list[str]) -> list[FieldError]:
    return [duplicate(path, value)] if value in others else []


def _check_audiences(path: str, audiences: tuple[str, ...], policy: str, errors: list[FieldError]) -> None:
    at, match = f"{path}.audiences", f"{path}.audienceMatchPolicy"
    if not audiences:
        errors.append(required(at, f"at least one {at} is required"))
        return
    for index, audience in enumerate(audiences):
        if not audience:
            errors.append(required(f"{at}[{index}]"))
        elif audience in audiences[:index]:
            errors.append(duplicate(f"{at}[{index}]", audience))
    if len(audiences) > 1 and policy != "MatchAny":
        errors.append(invalid(match, policy, "audienceMatchPolicy must be MatchAny for multiple audiences"))
    if len(audiences) == 1 and policy not in ("", "MatchAny"):
        errors.append(invalid(match, policy, "audienceMatchPolicy must be empty or MatchAny for single audience"))


def _certificates(text: str) -> bool:
    try:
        return bool(load_pem_x509_certificates(text.encode()))
    except ValueError:
        return False


def _claim_rules(path: str, rules: Any, reading: Reading) -> tuple[Mapping[str, str], tuple[Rule, ...]]:
    found: dict[str, str] = {}
    compiled: dict[str, Rule] = {}
    for index, rule in enumerate(rules):
        at = f"{path}.claimValidationRules[{index}]"
        claim, expression = rule.get("claim") or "", rule.get("expression") or ""
        value, message = rule.get("requiredValue") or "", rule.get("message") or ""
        if not claim and not expression:
            reading.errors.append(required(at, _EITHER))
        elif claim and expression:
            reading.errors.append(invalid(at, claim, _BOTH))
        elif claim:
            if message:
                reading.errors.append(invalid(f"{at}.message", message, "may not be specified when claim is set"))
            if claim in found:
                reading.errors.append(duplicate(f"{at}.claim", claim))
            found[claim] = value
        else:
            if value:
                reading.errors.append(
                    invalid(f"{at}.requiredValue", value, "may not be specified when expression is set")
                )
            _rule(f"{at}.expression", expression, message, "claims", reading, compiled)
    return found, tuple(compiled.values())


def _user_rules(path: str, rules: Any, reading: Reading) -> tuple[Rule, ...]:
    compiled: dict[str, Rule] = {}
    for index, rule in enumerate(rules):
        at, expression = f"{path}.userValidationRules[{index}].expression", rule.get("expression") or ""
        if not expression:
            reading.errors.append(required(at))
        else:
            _rule(at, expression, rule.get("message") or "", "user", reading, compiled)
    return tuple(compiled.values())


def _rule(path: str, text: str, message: str, variable: str, reading: Reading, found: dict[str, Rule]) -> None:
    if text in found:
        reading.errors.append(duplicate(path, text))
        return
    program = reading.compiled(path, text, variable, boolean=True)
    if program is not None:
        found[text] = Rule(program, message, text)


def _mapped(path: str, entry: Object, reading: Reading, *, prefixed: bool = False, needed: bool = False) -> Mapped:
    claim, expression, prefix = entry.get("claim") or "", entry.get("expression") or "", entry.get("prefix")
    if claim and expression:
        reading.errors.append(invalid(path, "", _BOTH))
    elif expression:
        if prefix is not None:
            reading.errors.append(invalid(f"{path}.prefix", prefix, "may not be specified when expression is set"))
        program = reading.compiled(f"{path}.expression", expression, "claims")
        return Mapped(expression=program, text=expression)
    elif claim:
        if prefixed and prefix is None:
            reading.errors.append(required(f"{path}.prefix", _PREFIX))
    elif needed:
        reading.errors.append(required(path, _EITHER))
    return Mapped(claim, prefix or "")


def _extra(path: str, entries: Any, reading: Reading) -> tuple[tuple[str, str, Program], ...]:
    found: dict[str, tuple[str, str, Program]] = {}
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        key, expression = entry.get("key") or "", entry.get("valueExpression") or ""
        at = f"{path}[{index}]"
        if not key:
            reading.errors.append(required(f"{at}.key"))
        else:
            reading.errors.extend(_check_key(f"{at}.key", key))
            reading.errors.extend([duplicate(f"{at}.key", key)] if key in seen else [])
        seen.add(key)
        if not expression:
            reading.errors.append(required(f"{at}.valueExpression"))
            continue
        program = reading.compiled(f"{at}.valueExpression", expression, "claims")
        if program is not None:
            found[key] = (key, expression, program)
    return tuple(found.values())


def _check_key(path: str, key: str) -> list[FieldError]:
    domain, problems = key.partition("/")[0], [*domain_prefixed_path(path, key)]
    if key != key.lower():
        problems.append(invalid(path, key, "must be lowercase"))
    if domain in ("k8s.io", "kubernetes.io") or domain.endswith((".k8s.io", ".kubernetes.io")):
        problems.append(invalid(path, key, _RESERVED))
    return problems


def _check_email(path: str, username: Mapped, reading: Reading) -> None:
    """Who takes the name from `claims.email` has to look at `claims.email_verified` somewhere."""
    if username.expression is None or not uses_claim(username.expression, "email"):
        return
    of_groups = (f"{path}.claimMappings.groups.", f"{path}.claimMappings.uid.")
    places = [program for at, program in reading.programs.items() if not at.startswith(of_groups)]
    if not any(uses_claim(program, "email_verified") for program in places):
        reading.errors.append(invalid(f"{path}.claimMappings.username.expression", username.text, _UNVERIFIED))
