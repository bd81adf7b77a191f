"""TokenReview: which answers make a user, and for which audiences."""

import traceback
from typing import Any

import orjson
import pytest

from kybern.apiserver.authentication.service_account import TokenInvalid
from kybern.apiserver.authentication.webhook import TokenSettings, TokenWebhook, read_status
from kybern.apiserver.waiting import MustWait
from kybern.apiserver.webhooks.kubeconfig import Remote
from kybern.apiserver.webhooks.target import ANONYMOUS, Target

BOB = {"authenticated": True, "user": {"username": "bob", "uid": "7", "groups": ["devs"], "extra": {"a": ["b"]}}}
OWN = ("api",)

GOOD: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "the server's own audience": (BOB, ("api",), ("api",)),
    "one that it names": ({**BOB, "audiences": ["db", "x"]}, ("api", "db"), ("db",)),
    "none": (BOB, (), ()),
}


@pytest.mark.parametrize("name", GOOD)
def test_users(name: str) -> None:
    status, asked, expected = GOOD[name]
    found = read_status(status, asked, OWN)
    assert found.audiences == expected
    assert (found.user.name, found.user.uid, found.user.extra) == ("bob", "7", {"a": ("b",)})
    assert found.user.groups == ("devs", "system:authenticated")


BAD: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "nobody": ({"authenticated": False}, OWN, "the webhook does not know the token"),
    "an error": ({"error": "expired"}, OWN, "expired"),
    "another audience": (BOB, ("db",), "is invalid for the target audiences"),
    "another that it names": ({**BOB, "audiences": ["db"]}, OWN, "is invalid for the target audiences"),
}


@pytest.mark.parametrize("name", BAD)
def test_refusals(name: str) -> None:
    status, asked, expected = BAD[name]
    with pytest.raises(TokenInvalid, match=expected):
        read_status(status, asked, OWN)


GO = "json: cannot unmarshal"
ODD: dict[str, tuple[dict[str, Any], str]] = {
    "a user in a word": ({"user": "bob"}, f"{GO} string into Go struct field TokenReviewStatus.status.user of type"),
    "a name that is a number": (
        {"user": {"username": 5}},
        f"{GO} number into Go struct field UserInfo.status.user.username of type string",
    ),
    "groups that are numbers": (
        {"user": {"username": "bob", "groups": [5]}},
        f"{GO} number into Go struct field UserInfo.status.user.groups of type string",
    ),
    "a yes in a word": ({"authenticated": "true"}, f"{GO} string into Go struct field TokenReviewStatus.status.auth"),
    "audiences that are a number": ({"audiences": 5}, f"{GO} number into Go struct field TokenReviewStatus.status.aud"),
}


class Webhook:
    """Answers every TokenReview with the same status."""

    def __init__(self, status: Any) -> None:
        self._status = status

    async def post(self, *asked: Any, **more: Any) -> bytes:
        return orjson.dumps({"status": self._status})


async def learnt(status: Any) -> TokenInvalid:
    """What is said of a token, once the webhook was asked."""
    settings = TokenSettings(Remote(Target("https://a/"), ANONYMOUS))
    webhook = TokenWebhook(settings, Webhook(status), OWN)  # type: ignore[arg-type]  # in a client's place
    with pytest.raises(MustWait) as wait:
        webhook.verify("token")
    await wait.value.over()
    with pytest.raises(TokenInvalid) as first:
        webhook.verify("token")
    frames = [len(traceback.extract_tb(first.value.__traceback__))]
    for _ in range(3):
        with pytest.raises(TokenInvalid) as caught:
            webhook.verify("token")
        frames.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(set(frames)) == 1, "a refusal that is remembered must not grow"
    return first.value


@pytest.mark.parametrize("name", ODD)
async def test_answers_of_wrong_types(name: str) -> None:
    status, told = ODD[name]
    assert str(await learnt({"authenticated": True, **status})).startswith(told)


@pytest.mark.parametrize("status", ["yes", [], 5])
async def test_answers_without_a_status(status: Any) -> None:
    assert str(await learnt(status)).startswith(f"{GO} ")


async def test_a_refusal_holds_for_the_call_that_has_waited() -> None:
    assert str(await learnt({"authenticated": False, "error": "expired"})) == "expired"
    assert str(await learnt(None)) == "the webhook does not know the token"
