"""Distributed claims (OpenID Connect Core 5.6.2): a token that says where the user's groups are to be had."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.core.authentication.id_token import ClaimsRefused

NAMES, SOURCES = "_claim_names", "_claim_sources"
COULD_NOT = "could not expand distributed claims: "


@dataclass(frozen=True)
class Source:
    """Where a claim is asked for; the answer is a JWT."""

    claim: str
    endpoint: str
    access_token: str = ""


def source_of(claim: str, claims: Mapping[str, Any]) -> Source | None:
    """Where this claim is to be had; None if the token has it, or nobody does. Raises ClaimsRefused."""
    if not claim or claim in claims or NAMES not in claims:
        return None
    names, sources = claims[NAMES], claims.get(SOURCES)
    if not isinstance(names, dict) or not all(isinstance(one, str) for one in names.values()):
        raise ClaimsRefused(f"{COULD_NOT}oidc: error parsing distributed claim names")
    if SOURCES not in claims:
        raise ClaimsRefused(f"{COULD_NOT}oidc: no claim sources")
    if not isinstance(sources, dict) or not all(isinstance(one, dict) for one in sources.values()):
        raise ClaimsRefused(f"{COULD_NOT}oidc: could not parse claim sources")
    if claim not in names:
        return None
    source = sources.get(names[claim])
    if source is None:
        raise ClaimsRefused(
            f"{COULD_NOT}id token _claim_names contained a source {names[claim]} missing in _claims_sources"
        )
    endpoint, token = source.get("endpoint") or "", source.get("access_token") or ""
    if not isinstance(endpoint, str) or not isinstance(token, str):
        raise ClaimsRefused(f"{COULD_NOT}oidc: could not parse claim sources")
    return Source(claim, endpoint, token) if endpoint else None  # without an endpoint it is in the token, aggregated
