"""JWT issuers as configured: by --oidc-* flags, or by an AuthenticationConfiguration with any number of them.

Claims become a user by naming a claim and a prefix, or by CEL expressions over `claims`; rules over `claims` and `user`
say who is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from kybern.kube.cel import CompileError, Program, compile_expression

Object = dict[str, Any]
VERSIONS = tuple(f"apiserver.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")


class ConfigurationInvalid(Exception):
    """What is wrong with the configuration."""


@dataclass(frozen=True)
class Mapped:
    """One thing taken from the claims: a claim with a prefix, or an expression."""

    claim: str = ""
    prefix: str = ""
    expression: Program | None = None
    text: str = ""  # of the expression

    def __bool__(self) -> bool:
        return bool(self.claim) or self.expression is not None


@dataclass(frozen=True)
class Rule:
    """A condition that must hold; the message says why one is refused."""

    expression: Program
    message: str
    text: str


@dataclass(frozen=True)
class Issuer:
    """One issuer of tokens."""

    url: str
    audiences: tuple[str, ...]
    username: Mapped
    groups: Mapped = Mapped()
    uid: Mapped = Mapped()
    extra: tuple[tuple[str, str, Program], ...] = ()  # key, expression, compiled
    required: Mapping[str, str] = field(default_factory=dict)
    claim_rules: tuple[Rule, ...] = ()
    user_rules: tuple[Rule, ...] = ()
    discovery_url: str = ""
    ca: str = ""
    algorithms: tuple[str, ...] = ALGORITHMS

    @property
    def document_url(self) -> str:
        """Where the issuer says what its keys are."""
        return self.discovery_url or self.url.rstrip("/") + "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Anonymous:
    """Whether requests without credentials are served, on which paths alone (None: on all)."""

    enabled: bool = True
    paths: frozenset[str] | None = None


@dataclass(frozen=True)
class Configuration:
    """An AuthenticationConfiguration. `anonymous` None: the flag decides."""

    issuers: tuple[Issuer, ...] = ()
    anonymous: Anonymous | None = None


def read_configuration(document: Any) -> Configuration:
    """Raises ConfigurationInvalid."""
    if not isinstance(document, dict) or document.get("kind") != "AuthenticationConfiguration":
        raise ConfigurationInvalid("it must be an AuthenticationConfiguration")
    if document.get("apiVersion") not in VERSIONS:
        raise ConfigurationInvalid(f"apiVersion must be one of {', '.join(VERSIONS)}")
    issuers = tuple(_issuer(f"jwt[{index}]", entry or {}) for index, entry in enumerate(document.get("jwt") or ()))
    for index, issuer in enumerate(issuers):
        if issuer.url in {other.url for other in issuers[:index]}:
            raise ConfigurationInvalid(f'jwt[{index}].issuer.url: Duplicate value: "{issuer.url}"')
    return Configuration(issuers, _anonymous(document.get("anonymous")))


def _anonymous(entry: Object | None) -> Anonymous | None:
    if entry is None:
        return None
    paths = [condition.get("path") or "" for condition in entry.get("conditions") or ()]
    if paths and not entry.get("enabled"):
        raise ConfigurationInvalid("anonymous.conditions: enabled should be set to true when conditions are defined")
    return Anonymous(bool(entry.get("enabled")), frozenset(paths) if paths else None)


def _issuer(path: str, entry: Object) -> Issuer:
    about, mappings = entry.get("issuer") or {}, entry.get("claimMappings") or {}
    url = check_url(f"{path}.issuer.url", about.get("url") or "")
    discovery = about.get("discoveryURL") or ""
    if discovery and check_url(f"{path}.issuer.discoveryURL", discovery) == url:
        raise ConfigurationInvalid(f"{path}.issuer.discoveryURL: must be different from URL")
    audiences = tuple(about.get("audiences") or ())
    if not audiences:
        raise ConfigurationInvalid(
            f"{path}.issuer.audiences: Required value: at least one {path}.issuer.audiences is required"
        )
    if len(audiences) > 1 and about.get("audienceMatchPolicy") != "MatchAny":
        raise ConfigurationInvalid(f"{path}.issuer.audienceMatchPolicy: must be MatchAny for multiple audiences")
    username = _mapped(f"{path}.claimMappings.username", mappings.get("username"), prefixed=True)
    if not username:
        raise ConfigurationInvalid(f"{path}.claimMappings.username: Required value: claim or expression is required")
    required, rules = {}, []
    for index, rule in enumerate(entry.get("claimValidationRules") or ()):
        where = f"{path}.claimValidationRules[{index}]"
        if bool(rule.get("claim")) == bool(rule.get("expression")):
            raise ConfigurationInvalid(f"{where}: exactly one of claim and expression is required")
        if rule.get("claim"):
            required[rule["claim"]] = rule.get("requiredValue") or ""
        else:
            rules.append(_rule(where, rule, "claims"))
    return Issuer(
        url,
        audiences,
        username,
        _mapped(f"{path}.claimMappings.groups", mappings.get("groups"), prefixed=True),
        _mapped(f"{path}.claimMappings.uid", mappings.get("uid")),
        tuple(_extra(f"{path}.claimMappings.extra[{n}]", one) for n, one in enumerate(mappings.get("extra") or ())),
        required,
        tuple(rules),
        tuple(
            _rule(f"{path}.userValidationRules[{n}]", one, "user")
            for n, one in enumerate(entry.get("userValidationRules") or ())
        ),
        discovery,
        about.get("certificateAuthority") or "",
    )


def check_url(path: str, url: str) -> str:
    """The URL if it is https without query and fragment. Raises ConfigurationInvalid."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ConfigurationInvalid(f'{path}: Invalid value: "{url}": URL scheme must be https')
    if parts.query or parts.fragment or parts.username:
        raise ConfigurationInvalid(f'{path}: Invalid value: "{url}": URL must not contain a query, fragment or user')
    return url


def _mapped(path: str, entry: Object | None, prefixed: bool = False) -> Mapped:
    entry = entry or {}
    claim, expression, prefix = entry.get("claim") or "", entry.get("expression") or "", entry.get("prefix")
    if claim and expression:
        raise ConfigurationInvalid(f"{path}: claim and expression can't both be set")
    if expression:
        if prefix is not None:
            raise ConfigurationInvalid(f"{path}: prefix can't be set when expression is set")
        return Mapped(expression=_compiled(f"{path}.expression", expression, "claims"), text=expression)
    if claim and prefixed and prefix is None:
        raise ConfigurationInvalid(f"{path}.prefix: Required value: prefix is required when claim is set")
    return Mapped(claim, prefix or "")


def _extra(path: str, entry: Object) -> tuple[str, str, Program]:
    key = entry.get("key") or ""
    if "/" not in key or key != key.lower() or key.partition("/")[0].endswith(("kubernetes.io", "k8s.io")):
        raise ConfigurationInvalid(f'{path}.key: Invalid value: "{key}": must be a lower-case domain-prefixed path')
    expression = entry.get("valueExpression") or ""
    return key, expression, _compiled(f"{path}.valueExpression", expression, "claims")


def _rule(path: str, entry: Object, variable: str) -> Rule:
    expression = entry.get("expression") or ""
    program = _compiled(f"{path}.expression", expression, variable)
    return Rule(program, entry.get("message") or "", expression)


def _compiled(path: str, expression: str, variable: str) -> Program:
    if not expression:
        raise ConfigurationInvalid(f"{path}: Required value: expression is required")
    try:
        return compile_expression(expression, (variable,))
    except CompileError as error:
        raise ConfigurationInvalid(f"{path}: compilation failed: {error}") from None
