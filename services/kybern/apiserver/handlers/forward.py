"""Forward: may the caller make a request that an extension API server answers, and where is that server?"""

from kybern.apiserver.core import api_services
from kybern.apiserver.core.proxy_names import join
from kybern.apiserver.core.user import User
from kybern.apiserver.server import ApiServer
from kybern.apiserver.webhooks.resolver import NoEndpoint
from kybern.kube.rbac import Attributes
from kybern.kube.status import not_found, service_unavailable
from kybern.protos.api.v1.objects_pb2 import ExtraValues, ForwardRequest, ForwardResponse, Requester
from kybern.rpc.exchange.context import CallContext

UNAVAILABLE = "service unavailable"


async def forward(server: ApiServer, message: ForwardRequest, call: CallContext) -> ForwardResponse:
    """Raises StatusError: 401, 403, 503 while the server is not available."""
    resource = message.resource
    if message.path:
        asked = Attributes(message.verb, path=message.path)
    else:
        where = (resource.group, resource.resource, resource.subresource, resource.namespace, message.name)
        asked = Attributes(message.verb, *where, version=resource.version)
    user = server.authenticator.authenticate(call, asked=asked)
    if call.seat is None:
        server.flow.enter(call, user, asked)
    server.authorizer.check(user, asked)
    name = api_services.name_of(resource.group, resource.version)
    follower = server.aggregator.follower(name)
    if follower is None:
        raise not_found(api_services.GROUP, api_services.RESOURCE, name)
    if not follower.available:
        raise service_unavailable(UNAVAILABLE)
    backend = follower.backend
    try:
        address = join(*server.resolver.resolve(backend.service))
    except NoEndpoint:
        raise service_unavailable(UNAVAILABLE) from None
    return ForwardResponse(
        address=address,
        server_name=backend.service.host,
        ca_bundle=backend.ca,
        insecure=backend.insecure,
        user=_shown(user),
    )


def _shown(user: User) -> Requester:
    extra = {name: ExtraValues(values=values) for name, values in user.extra.items()}
    return Requester(user=user.name, uid=user.uid, groups=user.groups, extra=extra)
