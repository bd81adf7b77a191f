"""Reinvocation: mutating admission runs a second time when somebody changed the object after others had seen it."""

from dataclasses import dataclass, field
from typing import Any

import orjson

Object = dict[str, Any]


@dataclass
class Rounds:
    """What an admission plugin that calls others knows of its first round: whom it asked, and who is due again."""

    invoked: set[str] = field(default_factory=set)
    due: set[str] = field(default_factory=set)
    output: bytes = b""

    def require(self) -> None:
        """Somebody has changed the object: those who saw it before are due again."""
        self.due |= self.invoked
        self.invoked = set()

    def end(self, obj: Object | None) -> None:
        """The round is over: the object as it leaves the plugin."""
        self.output = _text(obj)


@dataclass
class Reinvocation:
    """Of one request. Mutating admission runs a second time (`again`) if a plugin wants it."""

    wanted: bool = False
    again: bool = False
    rounds: dict[str, Rounds] = field(default_factory=dict)

    def begin(self, plugin: str, obj: Object | None) -> Rounds:
        """The rounds of a plugin that the object has come to; what others did to it since the last one counts."""
        rounds = self.rounds.setdefault(plugin, Rounds())
        if self.again and rounds.output != _text(obj):
            rounds.require()
        return rounds

    def changed(self, rounds: Rounds) -> None:
        """The plugin has changed the object."""
        rounds.require()
        self.wanted = True


def _text(obj: Object | None) -> bytes:
    return b"" if obj is None else orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
