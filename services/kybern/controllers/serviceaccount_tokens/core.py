"""What a token Secret still lacks, and what is to become of one that nobody uses."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kybern.kube import legacy_tokens, meta
from kybern.kube.legacy_tokens import ACCOUNT_NAME, ACCOUNT_UID, INVALID_SINCE, LAST_USED, TYPE
from kybern.kube.meta import Object

WITH_REFERENCE = ("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos")  # volumes: secretRef
TOKEN, CA, NAMESPACE = "token", "ca.crt", "namespace"


def filled(secret: Object, account: Object, ca: str, sign: Callable[[dict[str, str]], str]) -> Object | None:
    """The Secret with token, authority and namespace; None if it has them."""
    data = dict(secret.get("data") or {})
    wrong_ca = bool(ca) and data.get(CA) != _encoded(ca)
    if not wrong_ca and data.get(NAMESPACE) and data.get(TOKEN):
        return None
    if wrong_ca:
        data[CA] = _encoded(ca)
    if not data.get(NAMESPACE):
        data[NAMESPACE] = _encoded(meta.namespace(secret))
    if not data.get(TOKEN):
        data[TOKEN] = _encoded(sign(legacy_tokens.claims(account, secret)))
    noted = {**meta.annotations(secret), ACCOUNT_NAME: meta.name(account), ACCOUNT_UID: meta.uid(account)}
    return {**secret, "metadata": {**secret["metadata"], "annotations": noted}, "data": data}


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def same_account(account: Object | None, uid: str) -> bool:
    """Whether this is the account of a Secret that names this UID, or none yet."""
    return account is not None and uid in ("", meta.uid(account))


def is_token_of(secret: Object, namespace: str, name: str, uid: str) -> bool:
    """Whether a Secret holds a token of just this account."""
    own = (meta.namespace(secret), *legacy_tokens.account_of(secret))
    return secret.get("type") == TYPE and own == (namespace, name, uid)


def without_reference(account: Object, secret: str) -> Object:
    """The account, the Secret no longer listed."""
    return {**account, "secrets": [one for one in account.get("secrets") or () if one.get("name") != secret]}


@dataclass(frozen=True)
class Invalidate:
    """Refuse the token from this day on."""

    since: str


@dataclass(frozen=True)
class Remove:
    """Nobody has missed it."""


def decide_unused(
    secret: Object, account: Object | None, mounted: bool, now: datetime, period: timedelta
) -> Invalidate | Remove | None:
    """What becomes of a token Secret that was made unasked and has not been used for `period`."""
    labels, oldest = meta.labels(secret), now - period
    last_day = str(oldest.date())
    created = meta.creation_timestamp(secret)
    if secret.get("type") != TYPE or created is None or created >= oldest or meta.is_deleting(secret):
        return None
    used = labels.get(LAST_USED)
    if used is not None and (legacy_tokens.day(used) is None or used >= last_day):
        return None
    if account is None or not legacy_tokens.refers_to(account, meta.name(secret)) or mounted:
        return None
    since = labels.get(INVALID_SINCE)
    if since is None or legacy_tokens.day(since) is None:
        return Invalidate(str(now.date()))
    return Remove() if since < last_day else None


def tracked_long_enough(config: Object, now: datetime, period: timedelta) -> bool:
    """Whether uses have been noted for the whole of `period`. Raises ValueError."""
    since = legacy_tokens.day((config.get("data") or {}).get(legacy_tokens.SINCE))
    if since is None:
        raise ValueError("error parsing trackedSince time")
    begun = datetime(since.year, since.month, since.day, tzinfo=now.tzinfo) + timedelta(days=1)
    return now >= begun + period


def secret_names(pod: Object) -> set[str]:
    """Every Secret that a pod speaks of."""
    spec = pod.get("spec") or {}
    references: list[Object | None] = [*(spec.get("imagePullSecrets") or ())]
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            references += [one.get("secretRef") for one in container.get("envFrom") or ()]
            references += [(one.get("valueFrom") or {}).get("secretKeyRef") for one in container.get("env") or ()]
    names = []
    for volume in spec.get("volumes") or ():
        names += [(volume.get(kind) or {}).get("secretName") for kind in ("secret", "azureFile")]
        references += [(volume.get(kind) or {}).get("secretRef") for kind in WITH_REFERENCE]
        references += [source.get("secret") for source in (volume.get("projected") or {}).get("sources") or ()]
        references.append((volume.get("csi") or {}).get("nodePublishSecretRef"))
    names += [one.get("name") for one in references if one]
    return {name for name in names if name}
