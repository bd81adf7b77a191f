"""A question's way: the zone, else upstream; from bytes to bytes, over any wire."""

import logging
from collections.abc import Iterable

from dnslib import DNSRecord
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from kybern.dns.core.local import Local
from kybern.dns.core.message import (
    CODES,
    HEADER,
    RECURSION_AVAILABLE,
    SERVFAIL,
    FormatError,
    Query,
    bare_reply,
)
from kybern.dns.core.records import split, type_name
from kybern.dns.core.reply import fit
from kybern.dns.core.upstream import chased, reply
from kybern.dns.core.zone import Zone
from kybern.dns.forward import Forwarder


class Resolver:
    """Replies to queries. `local` never waits; `remote` asks upstream."""

    def __init__(self, zone: Zone, forwarder: Forwarder | None, registry: CollectorRegistry, log: logging.Logger):
        self.zone, self.forwarder = zone, forwarder
        self.queries = self.bad = 0
        self._local = Local(zone, forwards=forwarder is not None)
        self._log = log
        registry.register(_Readings(self))

    def local(self, data: bytes, *, tcp: bool = False) -> bytes | Query | None:
        """The reply, the query if upstream has to be asked, or None for what is not answered."""
        self.queries += 1
        return self._local.reply(data, tcp=tcp)

    async def remote(self, query: Query, *, tcp: bool = False) -> bytes:
        """The reply to a query that `local` gave back."""
        assert self.forwarder is not None
        name = query.name
        if self.forwarder.caught(name):
            return bare_reply(query, SERVFAIL)
        if self.zone.covers(name):  # an alias that leads out of the zone
            answer = self.zone.answer(name, query.type)
            data = await self.forwarder.ask(split(answer.chase), query.type)
            found = chased(query, answer, data)
        else:
            data = await self.forwarder.ask(name, query.type)
            found = bare_reply(query, SERVFAIL, RECURSION_AVAILABLE) if data is None else reply(query, data)
        return found if tcp else fit(query, found)

    async def resolve(self, data: bytes, *, tcp: bool = False) -> bytes | None:
        """Any query to its reply; an error of ours is SERVFAIL."""
        try:
            found = self.local(data, tcp=tcp)
            return await self.remote(found, tcp=tcp) if isinstance(found, Query) else found
        except Exception:  # the boundary: one bad query never ends the server
            return self.broken(data)

    def broken(self, data: bytes) -> bytes:
        """The reply when handling a query failed; called while the exception is handled."""
        self.bad += 1
        self._log.exception("a query could not be handled: %s", data.hex())
        return data[:2] + HEADER.pack(0, 0x8000 | SERVFAIL, 0, 0, 0, 0)[2:]


class _Readings(Collector):
    """Metrics under CoreDNS's names, read when somebody asks."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def collect(self) -> Iterable[Metric]:
        resolver, forwarder = self._resolver, self._resolver.forwarder
        yield CounterMetricFamily("coredns_dns_requests", "Queries received", resolver.queries)
        yield CounterMetricFamily("coredns_panics", "Queries that could not be handled", resolver.bad)
        if forwarder is not None:
            yield CounterMetricFamily("coredns_forward_requests", "Questions asked upstream", forwarder.sent)
            yield CounterMetricFamily("coredns_forward_failures", "Questions nobody answered", forwarder.failed)
            yield CounterMetricFamily("coredns_cache_hits", "Replies found in the cache", forwarder.hits)


def decoded(data: bytes) -> tuple[str, list[tuple[str, str, int, str]]]:
    """The code of a reply and its answers as (name, type, TTL, data). Raises FormatError."""
    try:
        message = DNSRecord.parse(data)
    except Exception as error:
        raise FormatError(str(error)) from error
    answers = [(str(rr.rname), type_name(rr.rtype), int(rr.ttl), str(rr.rdata)) for rr in message.rr]
    return CODES.get(message.header.rcode, str(message.header.rcode)), answers
