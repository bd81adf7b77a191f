"""The gRPC face of the handler table: unary calls and Exchange."""

from collections.abc import AsyncIterator
from typing import Any

from kybern.apiserver.handlers.table import handlers
from kybern.apiserver.server import ApiServer
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.api.v1.objects_pb2_grpc import ObjectsServicer
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.exchange.server import serve
from kybern.rpc.guard import metadata_value
from kybern.rpc.identity import peer


class Objects(ObjectsServicer):
    """kybern.api.v1.Objects."""

    def __init__(self, server: ApiServer) -> None:
        self._log = server.telemetry.log
        self._handlers = handlers(server)

    async def _unary(self, verb: str, request: Any, context: Any) -> Any:
        return await self._handlers[verb](request, _call(context))

    async def Get(self, request: pb.GetRequest, context: Any) -> Any:
        return await self._unary("get", request, context)

    async def Create(self, request: pb.CreateRequest, context: Any) -> Any:
        return await self._unary("create", request, context)

    async def Update(self, request: pb.UpdateRequest, context: Any) -> Any:
        return await self._unary("update", request, context)

    async def Patch(self, request: pb.PatchRequest, context: Any) -> Any:
        return await self._unary("patch", request, context)

    async def Delete(self, request: pb.DeleteRequest, context: Any) -> Any:
        return await self._unary("delete", request, context)

    async def DeleteCollection(self, request: pb.DeleteCollectionRequest, context: Any) -> Any:
        return await self._unary("delete_collection", request, context)

    async def Connect(self, request: pb.ConnectRequest, context: Any) -> Any:
        return await self._unary("connect", request, context)

    async def CheckAccess(self, request: pb.CheckAccessRequest, context: Any) -> Any:
        return await self._unary("check_access", request, context)

    async def List(self, request: pb.ListRequest, context: Any) -> AsyncIterator[pb.ListResponse]:
        async for response in self._handlers["list"](request, _call(context)):
            yield response

    async def Watch(self, request: pb.WatchRequest, context: Any) -> AsyncIterator[pb.WatchResponse]:
        async for response in self._handlers["watch"](request, _call(context)):
            yield response

    async def Exchange(self, request_iterator: AsyncIterator[pb.ExchangeRequest], context: Any) -> None:
        await serve(request_iterator, context, self._handlers, self._log)


def _call(context: Any) -> CallContext:
    return CallContext(peer(context), None, metadata_value(context, "traceparent"))
