"""Replies to questions about the zone, from bytes to bytes; packed replies are kept until the zone changes."""

from kybern.dns.core.message import (
    BADVERS,
    FORMERR,
    IN,
    NOTIMP,
    REFUSED,
    FormatError,
    Query,
    bare_reply,
    format_error_reply,
    parse_query,
)
from kybern.dns.core.reply import encode, fit
from kybern.dns.core.zone import Zone

KEPT = 10_000
TRANSFERS = (251, 252)  # IXFR, AXFR
CHAOS = 3


class Local:
    """What can be answered without asking anybody."""

    def __init__(self, zone: Zone, *, forwards: bool) -> None:
        self.zone, self.forwards = zone, forwards
        self._generation = 0
        self._kept: dict[tuple[bytes, bool], tuple[bytes, ...]] = {}
        self._turn = 0

    def reply(self, data: bytes, *, tcp: bool = False) -> bytes | Query | None:
        """The reply; or the query, when somebody else has to be asked; or None, when silence is best."""
        if self._generation != self.zone.generation:
            self._kept.clear()
            self._generation = self.zone.generation
        known = self._kept.get((data[2:], tcp))
        if known is not None:
            self._turn += 1
            return data[:2] + known[self._turn % len(known)]
        try:
            query = parse_query(data)
        except FormatError as error:
            return None if error.id is None else format_error_reply(error.id)
        replies = self._compute(query, tcp)
        if replies is None:
            return query
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[data[2:], tcp] = tuple(reply[2:] for reply in replies)
        return replies[0]

    def _compute(self, query: Query, tcp: bool) -> list[bytes] | None:
        if query.opcode:
            return [bare_reply(query, NOTIMP)]
        if query.version:
            return [bare_reply(query, BADVERS)]
        if query.class_ != IN or query.type in TRANSFERS:
            return [bare_reply(query, REFUSED)]
        if not query.type:
            return [bare_reply(query, FORMERR)]
        if not self.zone.covers(query.name):
            return None if self.forwards else [bare_reply(query, REFUSED)]
        answer = self.zone.answer(query.name, query.type)
        if answer.chase and self.forwards:
            return None
        replies = encode(query, answer, forwards=self.forwards)
        return replies if tcp else [fit(query, reply) for reply in replies]
