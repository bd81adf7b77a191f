"""Messages on the wire: flags, EDNS0, truncation, order, and bytes that are no messages at all."""

import struct

import pytest
from dnslib import EDNS0, QTYPE, RR, A, DNSHeader, DNSQuestion, DNSRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.dns.core.cache import ReplyCache
from kybern.dns.core.local import Local
from kybern.dns.core.message import FormatError, Query, parse_query, ttl_positions, without_opt
from kybern.dns.core.resolv_conf import nameservers, parse_address
from kybern.dns.core.upstream import believed, question, reply, request
from kybern.dns.core.zone import Zone


def zone_of(addresses: int = 1) -> Zone:
    zone = Zone()
    zone.set_service({"metadata": {"name": "web", "namespace": "default"}, "spec": {"clusterIP": "None"}})
    endpoints = [{"addresses": [f"10.0.{n // 250}.{n % 250 + 1}"]} for n in range(addresses)]
    labels = {"kubernetes.io/service-name": "web"}
    metadata = {"name": "web", "namespace": "default", "labels": labels}
    zone.set_slice({"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints})
    return zone


def ask(name: str, type_: str = "A", id_: int = 7, **header: int) -> DNSRecord:
    message = DNSRecord(DNSHeader(id=id_, rd=1, **header))
    message.add_question(DNSQuestion(name, getattr(QTYPE, type_)))
    return message


def answer(message: DNSRecord, zone: Zone | None = None, *, tcp: bool = False) -> DNSRecord:
    found = Local(zone or zone_of(), forwards=False).reply(bytes(message.pack()), tcp=tcp)
    assert isinstance(found, bytes)
    return DNSRecord.parse(found)


WEB = "web.default.svc.cluster.local"


def test_flags_and_spelling() -> None:
    found = answer(ask("wEb.DEFAULT.svc.cluster.LOCAL"))
    header = found.header
    assert (header.id, header.qr, header.aa, header.tc, header.rd, header.ra, header.rcode) == (7, 1, 1, 0, 1, 0, 0)
    assert str(found.questions[0].qname) == "wEb.DEFAULT.svc.cluster.LOCAL."
    assert [(str(rr.rname), str(rr.rdata), rr.ttl) for rr in found.rr] == [
        ("wEb.DEFAULT.svc.cluster.LOCAL.", "10.0.0.1", 5)
    ]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (ask("none.default.svc.cluster.local"), 3),
        (ask("example.com"), 5),
        (ask(WEB, "AXFR"), 5),
        (ask(WEB, opcode=4), 4),
        (ask("www.google.com.default.svc.cluster.local"), 3),
    ],
)
def test_codes(message: DNSRecord, code: int) -> None:
    assert answer(message).header.rcode == code


def test_kept_replies_carry_the_new_id() -> None:
    local = Local(zone_of(), forwards=False)
    for id_ in (1, 2, 3):
        found = local.reply(bytes(ask(WEB, id_=id_).pack()))
        assert isinstance(found, bytes)
        assert DNSRecord.parse(found).header.id == id_


def test_kept_replies_end_with_the_zone_they_came_from() -> None:
    zone = zone_of()
    local = Local(zone, forwards=False)
    local.reply(bytes(ask(WEB).pack()))
    zone.remove_service("default/web")
    found = local.reply(bytes(ask(WEB).pack()))
    assert isinstance(found, bytes)
    assert DNSRecord.parse(found).header.rcode == 3


def test_addresses_take_turns() -> None:
    local = Local(zone_of(3), forwards=False)
    firsts = set()
    for _ in range(6):
        found = local.reply(bytes(ask(WEB).pack()))
        assert isinstance(found, bytes)
        firsts.add(str(DNSRecord.parse(found).rr[0].rdata))
    assert firsts == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}


@pytest.mark.parametrize(
    ("addresses", "size", "truncated"),
    [(20, 0, False), (40, 0, True), (40, 1232, False), (100, 1232, True), (100, 65535, True), (40, 100, True)],
)
def test_truncation(addresses: int, size: int, truncated: bool) -> None:
    message = ask(WEB)
    if size:
        message.add_ar(EDNS0(udp_len=size))
    found = answer(message, zone_of(addresses))
    assert bool(found.header.tc) is truncated
    assert len(found.rr) == (0 if truncated else addresses)
    assert [rr.rtype for rr in found.ar] == ([41] if size else [])
    assert len(answer(message, zone_of(addresses), tcp=True).rr) == addresses


def test_unknown_edns_version() -> None:
    message = ask(WEB)
    message.add_ar(EDNS0(version=1))
    found = answer(message)
    assert found.header.rcode == 0
    assert found.ar[0].ttl >> 24 == 1  # the upper bits of BADVERS, 16


@pytest.mark.parametrize(
    ("name", "data", "id_"),
    [
        ("nothing", b"", None),
        ("half a header", b"\0\1\1", None),
        ("a response", bytes(ask(WEB).reply().pack()), None),
        ("no question", struct.pack("!6H", 9, 0, 0, 0, 0, 0), 9),
        ("two questions", struct.pack("!6H", 9, 0, 2, 0, 0, 0), 9),
        ("no name", struct.pack("!6H", 9, 0, 1, 0, 0, 0), 9),
        ("a pointer in the question", struct.pack("!6H", 9, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", 9),
        ("no type", struct.pack("!6H", 9, 0, 1, 0, 0, 0) + b"\1a\0\0", 9),
        ("a very long name", struct.pack("!6H", 9, 0, 1, 0, 0, 0) + b"\x3f" + b"a" * 63 * 5, 9),
    ],
)
def test_no_question(name: str, data: bytes, id_: int | None) -> None:
    with pytest.raises(FormatError) as error:
        parse_query(data)
    assert error.value.id == id_
    found = Local(zone_of(), forwards=False).reply(data)
    assert found is None if id_ is None else found == struct.pack("!6H", 9, 0x8001, 0, 0, 0, 0)


good = ask(WEB)
good.add_ar(EDNS0(udp_len=4096))
GOOD = bytes(good.pack())
mutated = st.builds(
    lambda edits, cut: bytes(edits.get(i, b) for i, b in enumerate(GOOD))[: cut or None],
    st.dictionaries(st.integers(0, len(GOOD) - 1), st.integers(0, 255), max_size=6),
    st.integers(0, len(GOOD)),
)


@settings(max_examples=1000, deadline=None)
@given(data=st.one_of(st.binary(max_size=600), mutated), tcp=st.booleans())
def test_any_bytes_are_answered_or_dropped(data: bytes, tcp: bool) -> None:
    for forwards in (False, True):
        found = Local(zone_of(30), forwards=forwards).reply(data, tcp=tcp)
        if isinstance(found, bytes):
            assert found[:2] == data[:2]
            assert found[2] & 0x80
            ttl_positions(found)  # well-formed; dnslib refuses names that are not UTF-8


@settings(max_examples=500, deadline=None)
@given(data=st.one_of(st.binary(max_size=300), mutated), id_=st.integers(0, 65535))
def test_any_bytes_from_upstream_are_refused_or_usable(data: bytes, id_: int) -> None:
    asked = question(("a",), 1)
    if believed(data, id_, asked):
        ReplyCache().put((("a",), 1), without_opt(data), 0.0)
    try:
        without_opt(data)
        ttl_positions(data)
    except (FormatError, struct.error):
        pass


def upstream_reply(name: str, ttl: int, edns: bool = True) -> bytes:
    message = DNSRecord.parse(request(5, question(tuple(name.split(".")), 1))).reply()
    message.add_answer(RR(name, QTYPE.A, rdata=A("192.0.2.1"), ttl=ttl))
    if edns:
        message.add_ar(EDNS0(udp_len=1232))
    return bytes(message.pack())


def test_only_the_reply_to_the_question_is_believed() -> None:
    asked = question(("example", "com"), 1)
    data = upstream_reply("example.com", 60)
    assert believed(data, 5, asked)
    assert not believed(data, 6, asked)
    assert not believed(data, 5, question(("example", "org"), 1))
    assert not believed(data[:-3], 5, asked)
    assert not believed(request(5, asked), 5, asked)


def test_an_upstreams_reply_becomes_ours() -> None:
    query = parse_query(bytes(ask("EXAMPLE.com", id_=77).pack()))
    found = DNSRecord.parse(reply(query, without_opt(upstream_reply("example.com", 60))))
    assert (found.header.id, found.header.aa, found.header.ra, found.header.qr) == (77, 0, 1, 1)
    assert str(found.questions[0].qname) == "EXAMPLE.com."
    assert [str(rr.rdata) for rr in found.rr] == ["192.0.2.1"]
    assert found.ar == []


@pytest.mark.parametrize(
    ("ttl", "age", "left"), [(60, 0, 60), (60, 20.9, 40), (60, 60, None), (0, 0, None), (99999, 3599, 96400)]
)
def test_kept_for_the_time_to_live(ttl: int, age: float, left: int | None) -> None:
    cache, key = ReplyCache(), (("example", "com"), 1)
    cache.put(key, without_opt(upstream_reply("example.com", ttl)), 100.0)
    found = cache.get(key, 100.0 + age)
    assert (found and DNSRecord.parse(found).rr[0].ttl) == left
    assert cache.get(key, 100.0 + 3600) is None


def test_the_least_recently_used_reply_goes_first() -> None:
    cache = ReplyCache(limit=2)
    for number in range(2):
        cache.put(((str(number),), 1), upstream_reply("a", 60), 0.0)
    cache.get((("0",), 1), 1.0)
    cache.put((("2",), 1), upstream_reply("a", 60), 1.0)
    assert [cache.get(((str(n),), 1), 1.0) is not None for n in range(3)] == [True, False, True]


def test_names_outside_are_given_back_when_we_forward() -> None:
    found = Local(zone_of(), forwards=True).reply(bytes(ask("example.com").pack()))
    assert isinstance(found, Query)
    assert found.name == ("example", "com")


def test_resolv_conf() -> None:
    text = (
        "# x\nsearch a b\nnameserver 192.0.2.1\nnameserver  fe80::1%eth0\nnameserver nonsense\nnameserver 192.0.2.1\n"
    )
    assert nameservers(text) == [("192.0.2.1", 53), ("fe80::1%eth0", 53)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", ("10.0.0.1", 53)),
        ("10.0.0.1:5353", ("10.0.0.1", 5353)),
        ("[::1]:5353", ("::1", 5353)),
        ("::1", ("::1", 53)),
        ("localhost", None),
        ("10.0.0.1:x", None),
        ("10.0.0.1:70000", None),
    ],
)
def test_addresses(text: str, expected: tuple[str, int] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="is not an address"):
            parse_address(text)
    else:
        assert parse_address(text) == expected
