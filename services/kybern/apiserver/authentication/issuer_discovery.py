"""What others need to verify ServiceAccount tokens: the issuer's OpenID configuration and its public keys."""

from typing import Any

import orjson
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from kybern.apiserver.authentication.service_account import ServiceAccountTokens

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"


def issuer_document(tokens: ServiceAccountTokens | None, path: str, address: str) -> bytes | None:
    """The document at a path, or None where there is none. `address`: HOST:PORT of the API, "" if it has none."""
    if tokens is None or path.rstrip("/") not in (CONFIGURATION, KEYS):
        return None
    keys = [_key(key_id, public) for key_id, public in tokens.keys.public.items()]
    if path.rstrip("/") == KEYS:
        return orjson.dumps({"keys": keys})
    return orjson.dumps(
        {
            "issuer": tokens.issuer,
            "jwks_uri": tokens.issuing.keys_url
            or (f"https://{address}" if address else tokens.issuer.rstrip("/")) + KEYS,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({key["alg"] for key in keys}),
        }
    )


def _key(key_id: str, public: Any) -> dict[str, Any]:
    elliptic = hasattr(public, "curve")
    written = ECAlgorithm.to_jwk(public, as_dict=True) if elliptic else RSAAlgorithm.to_jwk(public, as_dict=True)
    kept = {name: value for name, value in written.items() if name != "key_ops"}
    return {"use": "sig", **kept, "kid": key_id, "alg": "ES256" if elliptic else "RS256"}
