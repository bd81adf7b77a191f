"""Flags of service account tokens: their issuers, audiences and how long they may be good."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from kybern.kube.duration import parse_go

DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local"
HOUR, LONGEST = 3600, 1 << 32  # seconds


@dataclass(frozen=True)
class Issuing:
    """What flags say of tokens."""

    issuers: tuple[str, ...] = (DEFAULT_ISSUER,)  # the first issues, tokens of all are taken
    audiences: tuple[str, ...] = ()  # of this server; the issuers without
    longest: int = 0  # seconds that a token may be asked for; 0: any number
    keys_url: str = ""  # where the discovery document says that the public keys are
    extends: bool = True  # tokens that pods mount are good for a year; their use after the hour asked for is noted

    @property
    def own_audiences(self) -> tuple[str, ...]:
        """Whom tokens for this server are for."""
        return self.audiences or self.issuers


def add_token_flags(parser: ArgumentParser) -> None:
    """Kubernetes' names and defaults."""
    add = parser.add_argument_group("service account tokens").add_argument
    add(
        "--service-account-issuer",
        action="append",
        default=[],
        metavar="URL",
        help=f"issuer of tokens (default {DEFAULT_ISSUER}); may be repeated: the first issues, tokens of all are taken",
    )
    add(
        "--api-audiences",
        action="append",
        default=[],
        metavar="NAMES",
        help="audiences of this server, comma-separated (default: the issuers)",
    )
    add(
        "--service-account-jwks-uri",
        default="",
        metavar="URL",
        help="https, where others find the public keys (default: /openid/v1/jwks at the advertised address)",
    )
    add(
        "--service-account-max-token-expiration",
        default="0s",
        metavar="DURATION",
        help="the longest time that a token may be asked for, 1h at least; longer ones are shortened (0s: any)",
    )
    add(
        "--service-account-extend-token-expiration",
        default="true",
        choices=["true", "false"],
        help="let tokens that pods mount be good for a year, and note uses after the hour they were asked for",
    )


def read_issuing(options: Namespace) -> Issuing:
    """Raises ValueError with a sentence."""
    flag = "--service-account-max-token-expiration"
    try:
        longest = int(parse_go(options.service_account_max_token_expiration).total_seconds())
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from error
    if longest and not HOUR <= longest <= LONGEST:
        raise ValueError(f"{flag} must be between 1h and {LONGEST} seconds")
    issuers = tuple(options.service_account_issuer) or (DEFAULT_ISSUER,)
    if "" in issuers:
        raise ValueError("--service-account-issuer must not be empty")
    keys_url = options.service_account_jwks_uri
    if keys_url and not keys_url.startswith("https://"):
        raise ValueError(f"--service-account-jwks-uri requires https scheme, parsed as: {keys_url}")
    named = [name for names in options.api_audiences for name in names.split(",") if name]
    extends = options.service_account_extend_token_expiration == "true"
    return Issuing(issuers, tuple(named), longest, keys_url, extends)
