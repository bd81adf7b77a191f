"""How long tokens are good, whom they are for and who issued them, as flags say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from kybern.apiserver.authentication.service_account import TokenUnknown
from kybern.apiserver.authentication.token_flags import DEFAULT_ISSUER, Issuing
from kybern.client.resources import PODS, SERVICE_ACCOUNTS, TOKEN_REVIEWS

HOUR, YEAR = 3607, 365 * 24 * 3600
BOUND = {"kind": "Pod", "apiVersion": "v1", "name": "p"}
SUBJECT = "system:serviceaccount:default:sa"


async def ask(admin: Any, spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to a TokenRequest, and the claims of its token."""
    answer = await admin.create_subresource(SERVICE_ACCOUNTS, "token", "sa", {"spec": spec}, "default")
    return answer, jwt.decode(answer["status"]["token"], options={"verify_signature": False})


async def prepare(admin: Any) -> None:
    await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "sa", "namespace": "default"}})
    spec = {"serviceAccountName": "sa", "containers": [{"name": "c", "image": "i"}]}
    await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})


@pytest.mark.parametrize(
    ("issuing", "spec", "lives"),
    [
        pytest.param(Issuing(), {"boundObjectRef": BOUND, "expirationSeconds": HOUR}, YEAR, id="mounted in a pod"),
        pytest.param(Issuing(), {"boundObjectRef": BOUND, "expirationSeconds": HOUR - 1}, HOUR - 1, id="another time"),
        pytest.param(Issuing(), {"expirationSeconds": HOUR}, HOUR, id="without a pod"),
        pytest.param(
            Issuing(),
            {"boundObjectRef": BOUND, "expirationSeconds": HOUR, "audiences": ["vault"]},
            HOUR,
            id="for somebody else",
        ),
        pytest.param(
            Issuing(extends=False),
            {"boundObjectRef": BOUND, "expirationSeconds": HOUR},
            HOUR,
            id="where a flag says so",
        ),
        pytest.param(Issuing(longest=7200), {"expirationSeconds": 86400}, 7200, id="the longest"),
    ],
)
async def test_lives(running: Any, issuing: Issuing, spec: dict[str, Any], lives: int) -> None:
    async with running(issuing=issuing) as cluster, cluster.client() as admin:
        await prepare(admin)
        answer, claims = await ask(admin, spec)
        told = min(spec["expirationSeconds"], issuing.longest or YEAR)
        assert claims["exp"] - claims["iat"] == lives
        assert answer["spec"]["expirationSeconds"] == told
        expires = datetime.fromisoformat(answer["status"]["expirationTimestamp"])
        assert expires.timestamp() == claims["iat"] + told
        late = claims["kubernetes.io"].get("warnafter")
        assert late == (claims["iat"] + HOUR if lives == YEAR else None)


async def test_late_uses_are_noted(running: Any) -> None:
    async with running() as cluster, cluster.client() as admin:
        await prepare(admin)
        answer, claims = await ask(admin, {"boundObjectRef": BOUND, "expirationSeconds": HOUR})
        tokens, token = cluster.server.service_account_tokens, answer["status"]["token"]
        now = datetime.fromtimestamp(claims["iat"], UTC)
        assert tokens.verify(token, now).notes == ()
        noted = tokens.verify(token, now + timedelta(hours=2)).notes
        assert dict(noted) == {
            "authentication.k8s.io/stale-token": f"subject: {SUBJECT}, seconds after warning threshold: 3593"
        }


async def test_tokens_of_every_issuer_are_taken(running: Any) -> None:
    before, audiences = "https://before.example", (DEFAULT_ISSUER, "https://before.example")
    async with running(issuing=Issuing((DEFAULT_ISSUER, before))) as cluster, cluster.client() as admin:
        await prepare(admin)
        answer, claims = await ask(admin, {})
        assert (claims["iss"], tuple(answer["spec"]["audiences"])) == (DEFAULT_ISSUER, audiences)
        tokens, now = cluster.server.service_account_tokens, datetime.fromtimestamp(claims["iat"], UTC)
        older = tokens.keys.sign({**claims, "iss": before, "aud": [before]})
        assert tokens.verify(older, now).user.name == SUBJECT
        with pytest.raises(TokenUnknown):
            tokens.verify(tokens.keys.sign({**claims, "iss": "https://other.example"}), now)


async def test_tokens_are_for_the_audiences_named(running: Any) -> None:
    async with running(issuing=Issuing(audiences=("api", "vault"))) as cluster, cluster.client() as admin:
        await prepare(admin)
        _, claims = await ask(admin, {})
        assert claims["aud"] == ["api", "vault"]
        review = await admin.create(TOKEN_REVIEWS, {"spec": {"token": await token_for(admin, "vault")}})
        assert review["status"]["audiences"] == ["vault"]
        review = await admin.create(TOKEN_REVIEWS, {"spec": {"token": await token_for(admin, DEFAULT_ISSUER)}})
        assert not review["status"].get("authenticated")


async def token_for(admin: Any, audience: str) -> str:
    answer, _ = await ask(admin, {"audiences": [audience]})
    token: str = answer["status"]["token"]
    return token
