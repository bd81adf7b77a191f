"""Answers of webhooks that authenticate or authorize, and for whom they hold."""

import asyncio

import pytest

from kybern.apiserver.waiting import MustWait
from kybern.apiserver.webhooks.asked_once import AskedOnce
from kybern.apiserver.webhooks.client import CallFailed
from kybern.apiserver.webhooks.review import read_status

ACCESS = ("authorization.k8s.io/v1", "SubjectAccessReview")
GOOD: dict[str, tuple[bytes, dict[str, object]]] = {
    "of its kind": (b'{"kind":"SubjectAccessReview","status":{"allowed":true}}', {"allowed": True}),
    "without a frame": (b'{"status":{"allowed":true,"nope":1}}', {"allowed": True, "nope": 1}),
    "YAML": (b"status:\n  allowed: true\n", {"allowed": True}),
    "no status": (b"{}", {}),
    "null": (b"null", {}),
    "a null status": (b'{"status":null}', {}),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_answers(name: str) -> None:
    data, status = GOOD[name]
    assert read_status(data, *ACCESS) == status


def framed(kind: str, version: str) -> bytes:
    return f'{{"kind":"{kind}","apiVersion":"{version}","status":{{"allowed":true}}}}'.encode()


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "0-length response with status code: 200 and content type: application/json"),
    "a word": (b'{"status":{"allowed":"true"}}', "json: cannot unmarshal string into Go struct field Subject"),
    "a list": (b'{"status":[]}', "json: cannot unmarshal array into Go struct field Subject"),
    "text": (b"hello", "couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value"),
    "more": (b"{}x", "couldn't get version/kind; json parse error: invalid character 'x' after top-level value"),
    "another version": (
        framed("SubjectAccessReview", "authorization.k8s.io/v1beta1"),
        "converting (v1beta1.SubjectAccessReview) to (v1.SubjectAccessReview): unknown conversion",
    ),
    "another kind": (
        framed("TokenReview", "authentication.k8s.io/v1"),
        "converting (v1.TokenReview) to (v1.SubjectAccessReview): unknown conversion",
    ),
    "a Status": (framed("Status", "v1"), "converting (v1.Status) to (v1.SubjectAccessReview): unknown conversion"),
    "an unknown kind": (
        framed("TokenReview", "authorization.k8s.io/v1"),
        'no kind "TokenReview" is registered for version "authorization.k8s.io/v1" in scheme',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer(name: str) -> None:
    data, told = BAD[name]
    with pytest.raises(CallFailed) as failed:
        read_status(data, *ACCESS)
    assert str(failed.value).startswith(told)


async def test_an_answer_that_does_not_hold_is_for_those_who_have_waited() -> None:
    asked: list[str] = []

    async def ask(question: str) -> tuple[int, float]:
        asked.append(question)
        await asyncio.sleep(0)
        return len(asked), 0.0

    answers = AskedOnce(ask, 10)

    async def call(*questions: str) -> list[int]:
        while True:
            try:
                return [answers.answer(question) for question in questions]
            except MustWait as wait:
                await wait.over()

    first, second = await asyncio.gather(call("a", "b"), call("a"))
    assert (first, second, asked) == ([1, 2], [1], ["a", "b"])
    assert await asyncio.create_task(call("a")) == [3]


async def test_an_answer_that_holds_is_for_all() -> None:
    async def ask(question: str) -> tuple[str, float]:
        return question, 60.0

    answers = AskedOnce(ask, 1)
    for question in ("a", "b"):
        with pytest.raises(MustWait) as wait:
            answers.answer(question)
        await asyncio.create_task(wait.value.over())
        assert answers.answer(question) == question
    with pytest.raises(MustWait):
        answers.answer("a")  # there was room for one
