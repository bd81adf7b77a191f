"""What is wrong with a document that is no JSON, in the words of Go's encoding/json: the first byte that cannot be."""

from __future__ import annotations

import re

import orjson

from kybern.kube.go_values import quoted

_SPACE = b" \t\r\n"
_LITERALS = {b"t": b"true", b"f": b"false", b"n": b"null"}
_DIGITS = re.compile(rb"[0-9]*")
END = "unexpected end of JSON input"


class _WrongError(Exception):
    """Carries the message."""


def syntax_error(data: bytes) -> str:
    """The complaint about `data`; "" for what is JSON to Go."""
    try:
        _Scanner(data).document()
    except _WrongError as wrong:
        return str(wrong)
    except RecursionError:
        return "exceeded max depth"
    return ""


def loads_error(data: bytes, error: orjson.JSONDecodeError) -> str:
    """As `syntax_error`, for bytes that orjson has refused."""
    return syntax_error(data) or str(error)


class _Scanner:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def document(self) -> None:
        self._value()
        self._skip()
        if self.at < len(self.data):
            raise self._wrong("after top-level value")

    def _wrong(self, where: str) -> _WrongError:
        if self.at >= len(self.data):
            return _WrongError(END)
        char = chr(self.data[self.at])
        shown = {"'": r"'\''", '"': "'\"'"}.get(char) or f"'{quoted(char)[1:-1]}'"
        return _WrongError(f"invalid character {shown} {where}")

    def _peek(self) -> bytes:
        return self.data[self.at : self.at + 1]

    def _skip(self) -> bytes:
        while self._peek() and self._peek() in _SPACE:
            self.at += 1
        return self._peek()

    def _value(self) -> None:
        first = self._skip()
        if first == b"{":
            self._object()
        elif first == b"[":
            self._array()
        elif first == b'"':
            self._string()
        elif first == b"-" or first.isdigit():
            self._number()
        elif first in _LITERALS:
            self._literal(_LITERALS[first])
        else:
            raise self._wrong("looking for beginning of value")

    def _object(self) -> None:
        self.at += 1
        if self._skip() == b"}":
            self.at += 1
            return
        while True:
            if self._skip() != b'"':
                raise self._wrong("looking for beginning of object key string")
            self._string()
            if self._skip() != b":":
                raise self._wrong("after object key")
            self.at += 1
            self._value()
            if self._closes(b"}", "after object key:value pair"):
                return

    def _array(self) -> None:
        self.at += 1
        if self._skip() == b"]":
            self.at += 1
            return
        while True:
            self._value()
            if self._closes(b"]", "after array element"):
                return

    def _closes(self, mark: bytes, where: str) -> bool:
        found = self._skip()
        if found not in (mark, b","):
            raise self._wrong(where)
        self.at += 1
        return found == mark

    def _string(self) -> None:
        self.at += 1
        while (char := self._peek()) != b'"':
            if not char or char < b" ":
                raise self._wrong("in string literal")
            self.at += 1
            if char == b"\\":
                self._escape()
        self.at += 1

    def _escape(self) -> None:
        char = self._peek()
        if not char or char not in b'bfnrt\\/"u':
            raise self._wrong("in string escape code")
        self.at += 1
        for _ in range(4 if char == b"u" else 0):
            if not self._peek() or self._peek() not in b"0123456789abcdefABCDEF":
                raise self._wrong("in \\u hexadecimal character escape")
            self.at += 1

    def _number(self) -> None:
        if self._peek() == b"-":
            self.at += 1
        if self._peek() == b"0":
            self.at += 1
        else:
            self._digits("in numeric literal")
        if self._peek() == b".":
            self.at += 1
            self._digits("after decimal point in numeric literal")
        if self._peek() and self._peek() in b"eE":
            self.at += 1
            if self._peek() and self._peek() in b"+-":
                self.at += 1
            self._digits("in exponent of numeric literal")

    def _digits(self, where: str) -> None:
        found = _DIGITS.match(self.data, self.at)
        if found is None or found.end() == self.at:
            raise self._wrong(where)
        self.at = found.end()

    def _literal(self, word: bytes) -> None:
        for expected in word:
            if self._peek() != bytes([expected]):
                raise self._wrong(f"in literal {word.decode()} (expecting '{chr(expected)}')")
            self.at += 1
