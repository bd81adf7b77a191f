"""JWT issuers as configured: by --oidc-* flags, or by an AuthenticationConfiguration with any number of them.

Claims become a user by naming a claim and a prefix, or by CEL expressions over `claims`; rules over `claims` and `user`
say who is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kybern.kube.cel import Program

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
