"""EncryptionConfiguration (apiserver.config.k8s.io/v1): which resources are encrypted, with what.

The first provider of a resource writes, all of them read. Pure: text in, dataclasses or every field error out, in
upstream's words.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml

from kybern.kube.field import FieldError, aggregate, invalid, required

API_VERSION, KIND = "apiserver.config.k8s.io/v1", "EncryptionConfiguration"
KEY_SIZES = {"aesgcm": (16, 24, 32), "aescbc": (16, 24, 32), "secretbox": (32,)}
PROVIDERS = ("kms", "aesgcm", "aescbc", "secretbox", "identity")
KMS_TIMEOUT = 3.0
DURATIONS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
NO_REST = ("apiserveripinfo", "serviceipallocations", "servicenodeportallocations")


class ConfigurationError(Exception):
    """Why a file cannot be used; the message lists everything that is wrong."""


@dataclass(frozen=True)
class Key:
    """A named secret."""

    name: str
    secret: bytes


@dataclass(frozen=True)
class ProviderConfig:
    """One element of `providers`. `keys` for the local ciphers; name, endpoint and timeout for a KMS."""

    kind: str
    keys: tuple[Key, ...] = ()
    name: str = ""
    endpoint: str = ""
    timeout: float = KMS_TIMEOUT


@dataclass(frozen=True)
class ResourceConfig:
    """Resources as `resource.group` (with wildcards), and their providers."""

    resources: tuple[str, ...]
    providers: tuple[ProviderConfig, ...]


@dataclass(frozen=True)
class EncryptionConfig:
    """The whole file."""

    resources: tuple[ResourceConfig, ...] = ()

    def providers(self, group: str, resource: str) -> tuple[ProviderConfig, ...]:
        """Those of the first entry that names the resource; none: it is stored as it is."""
        for entry in self.resources:
            if any(covers(pattern, group, resource) for pattern in entry.resources):
                return entry.providers
        return ()


def covers(pattern: str, group: str, resource: str) -> bool:
    """Whether `secrets`, `deployments.apps`, `*.apps`, `*.` or `*.*` names a resource."""
    wanted, _, wanted_group = pattern.partition(".")
    if wanted_group == "*":
        return True
    return wanted_group == group and wanted in ("*", resource)


def read_config(text: str) -> EncryptionConfig:
    """From YAML or JSON. Raises ConfigurationError."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"error while parsing: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigurationError("the file is empty or no object")
    if raw.get("kind") != KIND or raw.get("apiVersion") != API_VERSION:
        raise ConfigurationError(
            f"expected kind {KIND} of {API_VERSION}, got {raw.get('kind')} of {raw.get('apiVersion')}"
        )
    errors: list[FieldError] = []
    config = EncryptionConfig(tuple(_entries(raw.get("resources"), errors)))
    if errors:
        raise ConfigurationError(aggregate(errors))
    return config


def _entries(raw: Any, errors: list[FieldError]) -> list[ResourceConfig]:
    if not raw or not isinstance(raw, list):
        errors.append(required("resources", "at least one resources is required"))
        return []
    found = []
    names: set[str] = set()
    for index, entry in enumerate(raw):
        path = f"resources[{index}]"
        entry = entry if isinstance(entry, dict) else {}
        resources = [str(name) for name in entry.get("resources") or ()]
        if not resources:
            errors.append(required(f"{path}.resources", f"at least one {path}.resources is required"))
        errors += _resource_errors(f"{path}.resources", resources)
        raw_providers = entry.get("providers") or []
        if not raw_providers:
            errors.append(required(f"{path}.providers", f"at least one {path}.providers is required"))
        providers = []
        for place, provider in enumerate(raw_providers):
            one = _provider(f"{path}.providers[{place}]", provider, names, errors)
            providers += [one] if one is not None else []
        found.append(ResourceConfig(tuple(resources), tuple(providers)))
    return found


def _resource_errors(path: str, resources: Sequence[str]) -> list[FieldError]:
    errors = []
    pairs = [name.partition(".")[::2] for name in resources]
    if len(set(pairs)) < len(pairs):
        errors.append(invalid(path, list(resources), "the same resource cannot be specified multiple times"))
    elif _overlap(pairs):
        why = (
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they "
            "will be masked"
        )
        errors.append(invalid(path, list(resources), why))
    for index, (name, (resource, group)) in enumerate(zip(resources, pairs, strict=True)):
        why = ""
        if name.lower() != name:
            why = "resource name should not contain capital letters"
        elif name == "*":
            why = "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"
        elif name in NO_REST:
            why = "resources which do not have REST API/s cannot be encrypted"
        elif group == "events.k8s.io":
            why = (
                "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in "
                "the config file"
            )
        elif group == "extensions":
            why = "'extensions' group has been removed and cannot be used for encryption"
        elif group == "*" and resource != "*":
            why = "encrypting the same resource across groups is not supported"
        if why:
            errors.append(invalid(f"{path}[{index}]", name, why))
    return errors


def _overlap(pairs: Sequence[tuple[str, ...]]) -> bool:
    if len(pairs) < 2:
        return False
    groups = [group for _, group in pairs]
    return ("*", "*") in pairs or any(resource == "*" and groups.count(group) > 1 for resource, group in pairs)


def _provider(path: str, raw: Any, names: set[str], errors: list[FieldError]) -> ProviderConfig | None:
    raw = raw if isinstance(raw, dict) else {}
    kinds = [kind for kind in PROVIDERS if raw.get(kind) is not None]
    if len(kinds) != 1:
        why = (
            "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"
            if not kinds
            else "more than one provider specified in a single element, should split into different list elements"
        )
        errors.append(invalid(path, kinds, why))
        return None
    (kind,) = kinds
    settings = raw[kind] if isinstance(raw[kind], dict) else {}
    if kind == "identity":
        return ProviderConfig(kind)
    if kind == "kms":
        return _kms(f"{path}.kms", settings, names, errors)
    return ProviderConfig(kind, tuple(_keys(f"{path}.{kind}.keys", settings.get("keys"), KEY_SIZES[kind], errors)))


def _keys(path: str, raw: Any, sizes: Sequence[int], errors: list[FieldError]) -> list[Key]:
    if not raw or not isinstance(raw, list):
        errors.append(required(path, "at least one keys is required"))
        return []
    keys = []
    for index, one in enumerate(raw):
        one = one if isinstance(one, dict) else {}
        name, secret = str(one.get("name") or ""), str(one.get("secret") or "")
        if not name:
            errors.append(required(f"{path}[{index}].name", "name is a mandatory field for a key"))
        if not secret:
            errors.append(required(f"{path}[{index}].secret", "secret is a mandatory field for a key"))
            continue
        try:
            decoded = base64.b64decode(secret, validate=True)
        except binascii.Error:
            errors.append(invalid(f"{path}[{index}].secret", "REDACTED", "secrets must be base64 encoded"))
            continue
        if len(decoded) not in sizes:
            shown = "[" + " ".join(map(str, sizes)) + "]"
            why = f"secret is not of the expected length, got {len(decoded)}, expected one of {shown}"
            errors.append(invalid(f"{path}[{index}].secret", "REDACTED", why))
        keys.append(Key(name, decoded))
    return keys


def _kms(path: str, raw: dict[str, Any], names: set[str], errors: list[FieldError]) -> ProviderConfig:
    name, endpoint = str(raw.get("name") or ""), str(raw.get("endpoint") or "")
    if not name:
        errors.append(required(f"{path}.name", "name is a mandatory field for a provider"))
    elif ":" in name:
        errors.append(invalid(f"{path}.name", name, f"invalid KMS provider name {name}, must not contain ':'"))
    elif name in names:
        errors.append(invalid(f"{path}.name", name, f"duplicate KMS provider name {name}, names must be unique"))
    names.add(name)
    if raw.get("apiVersion") != "v2":
        why = "unsupported apiVersion for KMS provider: v1 is deprecated and not served, use v2"
        errors.append(invalid(f"{path}.apiVersion", raw.get("apiVersion") or "", why))
    if not endpoint:
        errors.append(invalid(f"{path}.endpoint", "", "endpoint is a mandatory field for a kms"))
    elif urlsplit(endpoint).scheme != "unix":
        why = f'unsupported scheme "{urlsplit(endpoint).scheme}" for KMS provider, only unix is supported'
        errors.append(invalid(f"{path}.endpoint", endpoint, why))
    if raw.get("cachesize") is not None:
        errors.append(invalid(f"{path}.cachesize", raw["cachesize"], "cachesize is not supported in v2"))
    timeout = KMS_TIMEOUT
    if raw.get("timeout") is not None:
        timeout = _seconds(raw["timeout"])
        if timeout <= 0:
            errors.append(invalid(f"{path}.timeout", raw["timeout"], "timeout should be a positive value"))
    return ProviderConfig("kms", name=name, endpoint=endpoint, timeout=timeout)


def _seconds(text: Any) -> float:
    """A Go duration such as 3s, 500ms or 1m30s; 0 if it is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", str(text))
    if "".join(number + unit for number, unit in parts) != str(text):
        return 0.0
    return sum(float(number) * DURATIONS[unit] for number, unit in parts)
