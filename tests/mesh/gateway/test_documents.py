"""Documents about the API: which forms are acceptable, and what says whether they have changed."""

from typing import Any

import pytest

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
OPENAPI = "/openapi/v3/apis/apps/v1"
PROTOBUF = "application/com.github.proto-openapi.spec"


@pytest.mark.parametrize(
    ("path", "accept", "status", "words"),
    [
        ("/api", "text/html", 406, "406: Not Acceptable"),
        ("/api/v1", "text/html", 406, "406: Not Acceptable"),
        ("/apis", "text/html", 406, "only the following media types"),
        ("/apis/apps", "text/html", 406, "only the following media types"),
        ("/apis/apps/v1", "text/html", 406, "406: Not Acceptable"),
        ("/apis", AGGREGATED, 200, '"APIGroupDiscoveryList"'),
        ("/apis/", AGGREGATED, 406, "only the following media types"),
        ("/apis/apps", AGGREGATED, 406, "only the following media types"),
        ("/apis/apps/v1", AGGREGATED, 406, "only the following media types"),
        ("/apis/apps/v1", f"{AGGREGATED},application/json", 200, '"APIResourceList"'),
        ("/version", "application/yaml", 406, "Available representations: application/json"),
        ("/openid/v1/jwks", "application/json", 406, "Available representations: application/jwk-set+json"),
        ("/openid/v1/jwks", "application/jwk-set+json", 200, '"keys"'),
        ("/.well-known/openid-configuration", "text/html", 406, "Available representations: application/json"),
        (OPENAPI, "application/yaml", 406, ""),
        (OPENAPI, f"{PROTOBUF}.v3@v1.0+protobuf", 406, ""),
        (OPENAPI, "application/json;x=y", 200, '"openapi"'),
        ("/openapi/v2", f"{PROTOBUF}.v2.v1.0+protobuf", 200, ""),
        ("/openapi/v2", "application/yaml", 406, ""),
    ],
)
async def test_what_is_acceptable(gateway: Any, path: str, accept: str, status: int, words: str) -> None:
    async with gateway.admin.get(path, headers={"Accept": accept}) as response:
        text = (await response.read()).decode("utf-8", "replace")
        assert (response.status, words in text) == (status, True), text[:300]


@pytest.mark.parametrize(("path", "vary"), [(OPENAPI, "Accept"), ("/openapi/v2", "Accept-Encoding, Accept")])
async def test_openapi_is_sent_once(gateway: Any, path: str, vary: str) -> None:
    async with gateway.admin.get(path) as response:
        etag, modified = response.headers["ETag"], response.headers["Last-Modified"]
        assert (response.status, response.headers["Vary"]) == (200, vary)
    for name, value, status in (
        ("If-None-Match", f'"x", W/{etag}', 304),
        ("If-None-Match", '"x"', 200),
        ("If-Modified-Since", modified, 304),
        ("If-Match", '"x"', 412),
    ):
        async with gateway.admin.get(path, headers={name: value}) as response:
            assert (response.status, response.headers["ETag"]) == (status, etag)


async def test_openapi_by_its_hash(gateway: Any) -> None:
    async with gateway.admin.get("/openapi/v3") as response:
        paths = (await response.json(content_type=None))["paths"]
    link = paths["apis/apps/v1"]["serverRelativeURL"]
    async with gateway.admin.get(link) as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "public, immutable")
        assert "Expires" in response.headers
    for query, status in (("?hash=ABC", 301), ("?hash=", 200)):
        async with gateway.admin.get(OPENAPI + query, allow_redirects=False) as response:
            assert (response.status, response.headers.get("Location")) == (status, link if status == 301 else None)


@pytest.mark.parametrize("path", ["/healthz", "/readyz?verbose", "/nope", "/livez/ping"])
async def test_plain_texts_are_not_guessed_at(gateway: Any, path: str) -> None:
    async with gateway.admin.get(path) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_refusals_are_not_guessed_at(gateway: Any) -> None:
    async with gateway.client("carol") as session, session.get("/api/v1/secrets") as response:
        assert (response.status, response.headers["X-Content-Type-Options"]) == (403, "nosniff")
