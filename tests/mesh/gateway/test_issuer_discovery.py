"""The issuer of ServiceAccount tokens, as others find it: its configuration, and keys that verify its tokens."""

from typing import Any

import jwt


async def test_a_token_is_verified_with_the_published_keys(gateway: Any) -> None:
    account = "/api/v1/namespaces/default/serviceaccounts"
    await gateway.admin.post(account, json={"metadata": {"name": "a"}})
    spec = {"audiences": ["me"], "expirationSeconds": 600}
    async with gateway.admin.post(f"{account}/a/token", json={"spec": spec}) as response:
        token = (await response.json())["status"]["token"]
    async with gateway.admin.get("/.well-known/openid-configuration") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        configuration = await response.json()
    assert configuration["jwks_uri"] == "https://192.0.2.2:6443/openid/v1/jwks"
    async with gateway.admin.get("/openid/v1/jwks") as response:
        assert response.content_type == "application/jwk-set+json"
        keys = jwt.PyJWKSet.from_dict(await response.json(content_type=None))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    algorithms = configuration["id_token_signing_alg_values_supported"]
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(token, key.key, algorithms, audience="me", issuer=configuration["issuer"], options=options)
    assert claims["sub"] == "system:serviceaccount:default:a"
