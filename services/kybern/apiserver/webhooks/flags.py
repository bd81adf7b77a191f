"""Flags of authentication and authorization by somebody else, and of the modes of authorization."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from kybern.apiserver.authentication.webhook import TokenSettings
from kybern.apiserver.authorization.abac import read_policies
from kybern.apiserver.authorization.modes import DEFAULT, MODES, AuthorizationSettings
from kybern.apiserver.authorization.webhook import AccessSettings
from kybern.apiserver.webhooks.kubeconfig import read_kubeconfig
from kybern.kube.duration import parse_go

VERSIONS = ["v1beta1", "v1"]


def add_delegation_flags(parser: ArgumentParser) -> None:
    """Kubernetes' names and defaults, but for --authorization-mode, which is Node,RBAC."""
    add = parser.add_argument_group("authentication and authorization").add_argument
    add("--authorization-mode", default=",".join(DEFAULT), metavar="MODES", help=f"in order, of {', '.join(MODES)}")
    add("--authorization-config", default="", metavar="FILE", help="AuthorizationConfiguration, instead of modes")
    add("--authorization-policy-file", default="", metavar="FILE", help="policies of ABAC, one JSON object a line")
    add("--authorization-webhook-config-file", default="", metavar="FILE", help="kubeconfig of the webhook to ask")
    add("--authorization-webhook-version", default="v1beta1", choices=VERSIONS, help="of SubjectAccessReview")
    add("--authorization-webhook-cache-authorized-ttl", default="5m0s", metavar="TIME", help="a yes is remembered")
    add("--authorization-webhook-cache-unauthorized-ttl", default="30s", metavar="TIME", help="a no is remembered")
    add("--authentication-token-webhook-config-file", default="", metavar="FILE", help="kubeconfig of the webhook")
    add("--authentication-token-webhook-version", default="v1beta1", choices=VERSIONS, help="of TokenReview")
    add("--authentication-token-webhook-cache-ttl", default="2m0s", metavar="TIME", help="an answer is remembered")


def read_authorization(options: Namespace) -> AuthorizationSettings:
    """Raises OSError, ValueError with a sentence."""
    if options.authorization_config:
        return _read_file(options)
    modes = tuple(mode.strip() for mode in options.authorization_mode.split(",") if mode.strip())
    for mode in modes:
        if mode not in MODES:
            raise ValueError(f'authorization-mode "{mode}" is not a valid mode')
        if modes.count(mode) > 1:
            raise ValueError(f"authorization-mode {list(modes)} has mode specified more than once")
    if not modes:
        raise ValueError("at least one authorization-mode must be passed")
    policies, config = options.authorization_policy_file, options.authorization_webhook_config_file
    _together(modes, "ABAC", "authorization policy file", policies, "authorization-policy-file")
    _together(modes, "Webhook", "authorization config file", config, "authorization-webhook-config-file")
    webhooks: tuple[AccessSettings, ...] = ()
    if config:
        webhook = AccessSettings(
            read_kubeconfig(Path(config)),
            options.authorization_webhook_version,
            parse_go(options.authorization_webhook_cache_authorized_ttl).total_seconds(),
            parse_go(options.authorization_webhook_cache_unauthorized_ttl).total_seconds(),
        )
        webhooks = (webhook,)
    return AuthorizationSettings(modes, read_policies(Path(policies)) if policies else (), webhooks)


def _read_file(options: Namespace) -> AuthorizationSettings:
    from kybern.apiserver.authorization.configuration import read_configuration  # with CEL, a large library

    if options.authorization_mode != ",".join(DEFAULT) or options.authorization_webhook_config_file:
        raise ValueError(
            "--authorization-config can not be specified when --authorization-mode or --authorization-webhook-* flags "
            "are defined"
        )
    file = Path(options.authorization_config)
    modes, webhooks = read_configuration(file)
    policies = options.authorization_policy_file
    _together(modes, "ABAC", "authorization policy file", policies, "authorization-policy-file")
    return AuthorizationSettings(modes, read_policies(Path(policies)) if policies else (), webhooks, file)


def _together(modes: tuple[str, ...], mode: str, what: str, given: str, flag: str) -> None:
    if mode in modes and not given:
        raise ValueError(f"authorization-mode {mode}'s {what} not passed")
    if given and mode not in modes:
        raise ValueError(f"cannot specify --{flag} without mode {mode}")


def read_token_webhook(options: Namespace) -> TokenSettings | None:
    """Raises OSError, ValueError with a sentence."""
    config = options.authentication_token_webhook_config_file
    if not config:
        return None
    ttl = parse_go(options.authentication_token_webhook_cache_ttl).total_seconds()
    return TokenSettings(read_kubeconfig(Path(config)), options.authentication_token_webhook_version, ttl)
