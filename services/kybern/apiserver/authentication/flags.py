"""Flags of authentication: OIDC, several JWT issuers, bootstrap tokens, basic auth."""

import base64
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from kybern.apiserver.authentication.token_file import read_token_file
from kybern.apiserver.core.authentication.jwt_config import (
    ALGORITHMS,
    Anonymous,
    Configuration,
    ConfigurationInvalid,
    Issuer,
    Mapped,
)
from kybern.apiserver.core.authentication.jwt_validation import check_url, read_configuration
from kybern.apiserver.core.user import User
from kybern.apiserver.core.well_formed import well_formed


@dataclass(frozen=True)
class AuthenticationSettings:
    """Beside certificates, service accounts and static tokens."""

    issuers: tuple[Issuer, ...] = ()
    anonymous: Anonymous = field(default_factory=Anonymous)
    bootstrap_tokens: bool = True
    basic: Mapping[str, User] = field(default_factory=dict)  # by base64 of user:password
    file: Path | None = None  # the AuthenticationConfiguration, to be followed


def add_authentication_flags(parser: ArgumentParser) -> None:
    """Kubernetes' names; bootstrap tokens are on by default, since nodes join with them."""
    add = parser.add_argument_group("authentication").add_argument
    truth = ["true", "false"]
    add("--enable-bootstrap-token-auth", default="true", choices=truth, help="accept tokens of kube-system secrets")
    add("--basic-auth-file", default="", metavar="FILE", help="password,user,uid,groups; off without it")
    add("--authentication-config", default="", metavar="FILE", help="AuthenticationConfiguration with JWT issuers")
    add("--oidc-issuer-url", default="", metavar="URL", help="issuer of OIDC tokens, https")
    add("--oidc-client-id", default="", metavar="ID", help="audience that tokens must be for")
    add("--oidc-username-claim", default="sub", metavar="CLAIM", help="claim that names the user")
    add("--oidc-username-prefix", default="", metavar="TEXT", help="before names; - is none; default: the issuer's URL")
    add("--oidc-groups-claim", default="", metavar="CLAIM", help="claim with the user's groups")
    add("--oidc-groups-prefix", default="", metavar="TEXT", help="before groups")
    add("--oidc-required-claim", action="append", default=[], metavar="NAME=VALUE", help="that tokens must have")
    add("--oidc-signing-algs", default="RS256", metavar="LIST", help="accepted algorithms")
    add("--oidc-ca-file", default="", metavar="FILE", help="authority of the issuer's certificate")


def read_authentication(options: Namespace) -> AuthenticationSettings:
    """Raises OSError, ValueError with a sentence."""
    given = [flag for flag in ("oidc_issuer_url", "oidc_client_id") if getattr(options, flag)]
    if options.authentication_config and given:
        raise ValueError("--authentication-config and --oidc-* flags are mutually exclusive")
    configuration, path = Configuration(), None
    if options.authentication_config:
        path = Path(options.authentication_config)
        configuration = read_structured(path, path.read_bytes())
        if configuration.anonymous is not None and options.anonymous_auth == "false":
            raise ValueError("--anonymous-auth and anonymous of --authentication-config are mutually exclusive")
    issuers = configuration.issuers or ((_issuer(options),) if given else ())
    return AuthenticationSettings(
        issuers,
        configuration.anonymous or Anonymous(options.anonymous_auth == "true"),
        options.enable_bootstrap_token_auth == "true",
        read_basic_auth_file(Path(options.basic_auth_file)) if options.basic_auth_file else {},
        path,
    )


def read_structured(path: Path, data: bytes) -> Configuration:
    """What the file says. Raises ValueError."""
    try:
        with well_formed("the configuration"):
            return read_configuration(yaml.safe_load(data))
    except (yaml.YAMLError, ConfigurationInvalid, ValueError) as error:
        raise ValueError(f"--authentication-config {path}: {error}") from error


def _issuer(options: Namespace) -> Issuer:
    """The one issuer of the --oidc-* flags."""
    if not (options.oidc_issuer_url and options.oidc_client_id):
        raise ValueError("--oidc-issuer-url and --oidc-client-id must be specified together")
    algorithms = tuple(one.strip() for one in options.oidc_signing_algs.split(","))
    if unknown := [one for one in algorithms if one not in ALGORITHMS]:
        raise ValueError(f"--oidc-signing-algs: {unknown[0]!r} is not one of {', '.join(ALGORITHMS)}")
    url = options.oidc_issuer_url
    if wrong := check_url("--oidc-issuer-url", url):
        raise ValueError(str(wrong[0]))
    prefix = options.oidc_username_prefix
    if not prefix and options.oidc_username_claim != "email":
        prefix = f"{url}#"
    required = {}
    for text in options.oidc_required_claim:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--oidc-required-claim {text!r}: not NAME=VALUE")
        required[name] = value
    return Issuer(
        url,
        (options.oidc_client_id,),
        Mapped(options.oidc_username_claim, "" if prefix == "-" else prefix),
        Mapped(options.oidc_groups_claim, options.oidc_groups_prefix),
        required=required,
        ca=Path(options.oidc_ca_file).read_text() if options.oidc_ca_file else "",
        algorithms=algorithms,
    )


def read_basic_auth_file(path: Path) -> dict[str, User]:
    """base64 of user:password → user. Raises OSError, ValueError."""
    try:
        users = read_token_file(path)
    except ValueError as error:
        raise ValueError(f"--basic-auth-file {path}: {error}") from None
    return {base64.b64encode(f"{user.name}:{word}".encode()).decode(): user for word, user in users.items()}
