"""CheckAccess: may the caller make a request that names no resource, such as GET /metrics, or one that is not there?"""

import asyncio

import orjson

from kybern.apiserver.authentication.issuer_discovery import issuer_document
from kybern.apiserver.handlers.debug import PPROF, asker_of, debug
from kybern.apiserver.server import ApiServer
from kybern.kube.rbac import Attributes
from kybern.protos.api.v1.objects_pb2 import CheckAccessRequest, CheckAccessResponse
from kybern.rpc.exchange.context import CallContext
from kybern.telemetry.exposition import exposition


async def check_access(server: ApiServer, message: CheckAccessRequest, call: CallContext) -> CheckAccessResponse:
    """The authenticated user. Raises StatusError (401, 403)."""
    resource = message.resource
    where = (resource.group, resource.resource, resource.subresource, resource.namespace, message.name)
    if message.path:
        asked = Attributes(message.verb, path=message.path)
    else:
        asked = Attributes(message.verb, *where, version=resource.version)
    passages = server.passages
    passages.begin(call)
    at = call.entered
    user = server.authenticator.authenticate(call, message.path, asked)
    passages.passed(call, 0)
    if call.seat is None and not message.path.startswith(PPROF):  # which may take long
        server.flow.enter(call, user, asked)
    passages.passed(call, 1)
    server.authorizer.check(user, asked)
    passages.passed(call, 2)
    document = issuer_document(server.service_account_tokens, message.path, server.settings.advertise)
    if message.path.startswith("/debug/"):
        document = await debug(server, message, asker_of(call.seat, user, asked, at))
    if message.path == "/metrics":
        document = await asyncio.to_thread(exposition, server.telemetry.registry)
    if message.path == "/flagz":
        document = orjson.dumps(server.settings.flags)
    return CheckAccessResponse(user=user.name, groups=user.groups, document=document)
