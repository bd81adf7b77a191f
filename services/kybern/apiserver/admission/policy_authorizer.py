"""`authorizer` in CEL: what the one who makes the request, or a service account, may do."""

from dataclasses import replace

from kybern.apiserver.core.user import AUTHENTICATED, SERVICE_ACCOUNTS, User
from kybern.apiserver.registry.request import Request
from kybern.kube.cel import Answer, Authorizer
from kybern.kube.cel.policy import REQUEST_RESOURCE
from kybern.kube.rbac import Attributes


def authorizer_of(request: Request) -> Authorizer:
    """Each question is asked once in a request."""
    known: dict[tuple[Attributes, str | None], Answer] = {}

    def ask(asked: Attributes, account: str | None) -> Answer:
        answer = known.get((asked, account))
        if answer is None:
            user = request.user if account is None else _service_account(account)
            opinion = request.server.authorizer.opinion(user, asked)
            answer = known[asked, account] = Answer(opinion.allowed, opinion.reason)
        return answer

    return Authorizer(ask, replace(request.attributes(), verb="", version="*"))


def _service_account(name: str) -> User:
    namespace = name.split(":")[2]
    return User(name, (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}", AUTHENTICATED))


def authorizer_values(request: Request) -> dict[str, object]:
    """The variables of expressions that may ask the authorizer."""
    authorizer = authorizer_of(request)
    return {"authorizer": authorizer, REQUEST_RESOURCE: authorizer.member("requestResource")}
