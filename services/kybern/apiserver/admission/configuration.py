"""Which admission plugins run and how: upstream's flags and AdmissionConfiguration file.

apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity              # defaults and exemptions
  configuration: {...}           # or `path`, of another file beside it
- name: ResourceQuota            # limitedResources
- name: ValidatingAdmissionWebhook # kubeConfigFile: as whom webhooks are called; MutatingAdmissionWebhook too
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kybern.apiserver.admission.default_toleration_seconds import SECONDS
from kybern.apiserver.core.pod_security.policy import PREFIX, Exemptions, Policy, read_policy
from kybern.apiserver.core.well_formed import well_formed
from kybern.apiserver.webhooks.kubeconfig import Users, read_users
from kybern.kube.quota.charge import LimitedResource

Object = dict[str, Any]
WEBHOOKS = ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")


@dataclass(frozen=True)
class AdmissionConfiguration:
    """Plugins that are not to run, and what configured ones are given."""

    disabled: frozenset[str] = frozenset()
    pod_security_defaults: Policy = field(default_factory=Policy)
    pod_security_exemptions: Exemptions = field(default_factory=Exemptions)
    limited_resources: tuple[LimitedResource, ...] = ()
    toleration_seconds: tuple[int, int] = (SECONDS, SECONDS)  # on nodes that are not ready, and unreachable
    webhook_users: Mapping[str, Users] = field(default_factory=dict)  # by plugin


def add_admission_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--admission-control-config-file", default="", metavar="FILE", help="an AdmissionConfiguration for plugins"
    )
    for what in ("not-ready", "unreachable"):
        parser.add_argument(
            f"--default-{what}-toleration-seconds",
            type=int,
            default=SECONDS,
            metavar="N",
            help=f"that a pod stays on a node that is {what}, unless it says",
        )
    parser.add_argument("--disable-admission-plugins", default="", metavar="NAMES", help="comma-separated")
    parser.add_argument(
        "--enable-admission-plugins", default="", metavar="NAMES", help="comma-separated; all that are here are enabled"
    )


def read_admission_configuration(options: Namespace, known: frozenset[str]) -> AdmissionConfiguration:
    """Flags and the file they name. Raises OSError, ValueError."""
    disabled = _names(options.disable_admission_plugins)
    for flag, names in (("disable", disabled), ("enable", _names(options.enable_admission_plugins))):
        unknown = names - known
        if unknown:
            raise ValueError(f"--{flag}-admission-plugins: unknown plugins: {', '.join(sorted(unknown))}")
    path = options.admission_control_config_file
    try:
        with well_formed("the configuration"):
            plugins = _plugins(Path(path)) if path else {}
            defaults, exemptions = read_pod_security(plugins.get("PodSecurity") or {})
            limited = read_limited_resources(plugins.get("ResourceQuota") or {})
            folder = Path(path).parent
            users = {name: read_webhook_users(plugins[name], folder) for name in WEBHOOKS if plugins.get(name)}
    except ValueError as error:
        raise ValueError(f"--admission-control-config-file {path}: {error}") from error
    seconds = options.default_not_ready_toleration_seconds, options.default_unreachable_toleration_seconds
    return AdmissionConfiguration(disabled, defaults, exemptions, limited, seconds, users)


def _names(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def _plugins(path: Path) -> Mapping[str, Object]:
    """The configuration of each plugin that has one. Raises OSError, ValueError."""
    found = _load(path)
    if found.get("kind") != "AdmissionConfiguration":
        raise ValueError("not an AdmissionConfiguration")
    plugins = {}
    for entry in found.get("plugins") or ():
        given = entry.get("configuration")
        plugins[entry.get("name") or ""] = given if given is not None else _load(path.parent / entry["path"])
    return plugins


def _load(path: Path) -> Object:
    try:
        found = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: not an object")
    return found


def read_pod_security(configuration: Object) -> tuple[Policy, Exemptions]:
    """A PodSecurityConfiguration. Raises ValueError."""
    labels = {PREFIX + name: str(value) for name, value in (configuration.get("defaults") or {}).items()}
    policy, errors = read_policy(labels, Policy())
    if errors:
        raise ValueError(f"PodSecurity: defaults: {'; '.join(str(error.detail) for error in errors)}")
    exempt = configuration.get("exemptions") or {}
    sets = (frozenset(exempt.get(member) or ()) for member in ("usernames", "namespaces", "runtimeClasses"))
    return policy, Exemptions(*sets)


def read_webhook_users(configuration: Object, folder: Path) -> Users:
    """A WebhookAdmissionConfiguration. Raises OSError, ValueError."""
    if configuration.get("kind") not in ("WebhookAdmission", "WebhookAdmissionConfiguration"):
        raise ValueError("not a WebhookAdmissionConfiguration")
    file = configuration.get("kubeConfigFile")
    return read_users(folder / file) if file else Users()


def read_limited_resources(configuration: Object) -> tuple[LimitedResource, ...]:
    """A ResourceQuotaConfiguration."""
    return tuple(
        LimitedResource(
            entry.get("apiGroup") or "",
            entry.get("resource") or "",
            tuple(entry.get("matchContains") or ()),
            tuple(entry.get("matchScopes") or ()),
        )
        for entry in configuration.get("limitedResources") or ()
    )
