"""Calls that come again: a gateway asks the same for the same user in the same bytes, all but the id.

The bytes after the id are looked up instead of parsed. What is remembered is only what they say, never the answer: who
asks and whether they may is judged again each time (`Repeatable`).
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

from kybern.rpc.exchange.context import CallContext

REMEMBERED = 4096  # calls
LONGEST = 4 << 10  # bytes of a call worth remembering
_CALL_TAG, _ID_TAG = 0x0A, 0x08  # of ExchangeRequest.calls and Call.id
_MORE = 0x80

# The bytes of one GetResponse's object, or None: then the call takes the ordinary way.
Answer = Callable[[], bytes | None]


@runtime_checkable
class Repeatable(Protocol):
    """A handler of `get` that can answer a call again without being told it again."""

    def repeat(self, request: Any, context: CallContext) -> Answer | None:
        """What answers the same call from now on, without waiting; None if nothing can."""


class Remembered:
    """Answers by the bytes of the calls they answer."""

    def __init__(self) -> None:
        self._answers: dict[bytes, tuple[Answer, CallContext]] = {}

    def find(self, call: bytes) -> tuple[Answer, CallContext] | None:
        """What answers these bytes, and what it knows of the call."""
        return self._answers.get(call)

    def add(self, call: bytes, answer: Answer, context: CallContext) -> None:
        """Remember; when there are too many, those before are forgotten."""
        if len(call) <= LONGEST:
            if len(self._answers) >= REMEMBERED:
                self._answers.clear()
            self._answers[call] = (answer, context)


def calls(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The calls of a serialized ExchangeRequest: id, the bytes after it, and all bytes.

    The id is 0 where it does not come first. Raises ValueError for what is no ExchangeRequest.
    """
    at, end = 0, len(message)
    while at < end:
        if message[at] != _CALL_TAG:
            raise ValueError("not an ExchangeRequest")
        size, at = _varint(message, at + 1)
        following = at + size
        if following > end:
            raise ValueError("the message is cut short")
        call_id, rest = (0, at) if not size or message[at] != _ID_TAG else _varint(message, at + 1)
        yield call_id, message[rest:following], message[at:following]
        at = following


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number and where it ends."""
    try:
        byte = data[at]
        at += 1
        if byte < _MORE:
            return byte, at
        value, shift = byte & 0x7F, 7
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < _MORE:
                return value, at
            shift += 7
    except IndexError:
        raise ValueError("the message is cut short") from None
