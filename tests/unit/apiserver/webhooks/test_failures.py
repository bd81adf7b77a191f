"""Failures in the words of Go's client."""

import pytest

from kybern.apiserver.webhooks import failures

ANSWERS: dict[str, tuple[int, bytes, str]] = {
    "a status": (400, b'{"kind":"Status","message":"this is why"}', "this is why"),
    "not found": (404, b"<html>", "the server could not find the requested resource"),
    "a body": (500, b"oops\n", 'an error on the server ("oops") has prevented the request from succeeding'),
    "nothing": (502, b"", 'an error on the server ("") has prevented the request from succeeding'),
    "busy": (503, b"x", "the server is currently unable to handle the request"),
    "forbidden": (403, b"not you", "not you"),
    "moved": (302, b"", "the server responded with the status code 302 but did not return more information"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str) -> None:
    code, body, expected = ANSWERS[name]
    assert failures.of_answer(code, body) == expected


ERRORS: dict[str, tuple[Exception, str]] = {
    "late": (TimeoutError(), "context deadline exceeded"),
    "reset": (ConnectionResetError(104, "x"), "read tcp h:1: connection reset by peer"),
    "refused": (ConnectionRefusedError(111, "x"), "read tcp h:1: connection refused"),
    "another": (ValueError("some text"), "some text"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, expected = ERRORS[name]
    assert failures.of_connection(error, "h", "h:1") == expected
