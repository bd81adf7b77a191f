"""Legacy ServiceAccount tokens: those kept in Secrets of type kubernetes.io/service-account-token.

They name no audience and no end: they are good until their Secret or their ServiceAccount goes. Labels of the Secret
tell when one was last used, and since when one is refused that was made unasked and is not used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from kybern.kube import meta
from kybern.kube.meta import Object

TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME, ACCOUNT_UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
ISSUER = "kubernetes/serviceaccount"
LAST_USED, INVALID_SINCE = "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since"
TRACKING = ("kube-system", "kube-apiserver-legacy-service-account-token-tracking")  # a ConfigMap
SINCE = "since"  # its data: the day from which on uses are noted
_CLAIM = "kubernetes.io/serviceaccount/"
_CLAIMS = ("namespace", "secret.name", "service-account.name", "service-account.uid")
_NAMES = ("namespace", "secretName", "serviceAccountName", "serviceAccountUID")


@dataclass(frozen=True)
class Legacy:
    """What a legacy token says of itself."""

    namespace: str
    secret: str
    account: str
    uid: str


def claims(account: Object, secret: Object) -> dict[str, str]:
    """What the token in this Secret of this account says."""
    namespace, name = meta.namespace(account), meta.name(account)
    values = (namespace, meta.name(secret), name, meta.uid(account))
    own = {_CLAIM + claim: value for claim, value in zip(_CLAIMS, values, strict=True)}
    return {"iss": ISSUER, **own, "sub": f"system:serviceaccount:{namespace}:{name}"}


def read_claims(said: Mapping[str, Any]) -> Legacy:
    """Raises ValueError."""
    subject = said.get("sub")
    if not subject:
        raise ValueError("sub claim is missing")
    values = []
    for claim, name in zip(_CLAIMS, _NAMES, strict=True):
        value = said.get(_CLAIM + claim)
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name} claim is missing")
        values.append(value)
    found = Legacy(*values)
    if subject != f"system:serviceaccount:{found.namespace}:{found.account}":
        raise ValueError("sub claim is invalid")
    return found


def account_of(secret: Object) -> tuple[str, str]:
    """Name and UID of the account that a Secret is for; the UID is "" until it is known."""
    noted = meta.annotations(secret)
    return noted.get(ACCOUNT_NAME) or "", noted.get(ACCOUNT_UID) or ""


def refers_to(account: Object, secret: str) -> bool:
    """Whether the account lists the Secret: the mark of one that was made for it without being asked for."""
    return any(one.get("name") == secret for one in account.get("secrets") or ())


def day(text: str | None) -> date | None:
    """A day as the labels write it; None for what is none."""
    try:
        return date.fromisoformat(text) if text and len(text) == len("2006-01-02") else None
    except ValueError:
        return None
