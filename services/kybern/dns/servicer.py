"""The Dns contract: the same answers over gRPC."""

from typing import Any

import grpc
from dnslib import QTYPE

from kybern.dns.core.message import HEADER, RECURSION_DESIRED
from kybern.dns.core.records import split
from kybern.dns.core.upstream import question
from kybern.dns.resolver import Resolver, decoded
from kybern.protos.dns.v1 import dns_pb2 as pb
from kybern.protos.dns.v1 import dns_pb2_grpc


class DnsServicer(dns_pb2_grpc.DnsServicer):
    """Puts a question to the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def Query(self, request: pb.QueryRequest, context: Any) -> pb.QueryResponse:
        """Resolve a name. INVALID_ARGUMENT for an unknown type or a name that DNS cannot carry."""
        type_ = QTYPE.reverse.get((request.type or "A").upper())
        if type_ is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"unknown type {request.type!r}")
        try:
            asked = question(split(request.name), type_)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise AssertionError("abort raises") from error
        data = HEADER.pack(0, RECURSION_DESIRED, 1, 0, 0, 0) + asked
        found = await self._resolver.resolve(data, tcp=True)
        if found is None:
            return pb.QueryResponse(code="REFUSED")
        code, answers = decoded(found)
        records = [pb.Record(name=name, type=kind, ttl=ttl, data=text) for name, kind, ttl, text in answers]
        return pb.QueryResponse(code=code, answers=records)
