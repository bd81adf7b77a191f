"""The first layer: from a call's peer and its Requester to a User.

A call's user is its peer's certificate. A gateway alone may name somebody else: the user of a client certificate it
has verified, or a bearer token that is verified here. Impersonation comes last and is authorized like any request.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from kybern.apiserver.authentication.impersonation import Impersonator
from kybern.apiserver.authentication.service_account import ServiceAccountTokens, TokenInvalid, TokenUnknown, TokenUser
from kybern.apiserver.core.authentication.jwt_config import Anonymous
from kybern.apiserver.core.user import ANONYMOUS_USER, User, authenticated
from kybern.kube.rbac import Attributes
from kybern.kube.status import unauthorized
from kybern.protos.api.v1.objects_pb2 import Requester
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.transport import Identity
from kybern.telemetry import Telemetry

GATEWAY = "system:kybern:gateway"
REMEMBERED = 4096  # users and tokens
# Whom a token speaks for. Raises TokenInvalid, MustWait.
Verify = Callable[[str, tuple[str, ...]], TokenUser]
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"  # in a user's extra
TOKEN_SECONDS = 10.0  # for which a verified token is not verified again


class Authenticator:
    """Answers `authenticate` with a User that has its implied groups. Raises StatusError (401, 403)."""

    def __init__(
        self,
        telemetry: Telemetry,
        now: Callable[[], datetime],
        check: Callable[[User, Attributes], None],
        service_accounts: ServiceAccountTokens | None = None,
        static_tokens: dict[str, User] | None = None,
        anonymous: Anonymous | None = None,
        further: Sequence[Verify] = (),
        basic: Mapping[str, User] | None = None,
        audiences: Sequence[str] = (),
    ) -> None:
        self._log = telemetry.log
        self._now = now
        self._impersonator = Impersonator(check)
        self.service_accounts = service_accounts
        self._static = static_tokens or {}
        self._anonymous = anonymous or Anonymous()
        self._basic = basic or {}
        self._audiences = tuple(audiences)
        static = for_anybody(self._static_token, audiences)
        self._verifiers: tuple[Verify, ...] = (static, self._service_account, *further)
        self._peers: dict[Identity, User] = {}
        self._named: dict[tuple[str, ...], User] = {}
        self._tokens: dict[str, tuple[float, TokenUser]] = {}

    def authenticate(self, call: CallContext, path: str = "", asked: Attributes | None = None) -> User:
        """Who makes this call; `path` is that of a request for no resource. `asked` matters to impersonation."""
        requester = call.requester
        if requester is None or call.peer.user != GATEWAY:
            if requester is not None:
                raise unauthorized()
            return self._peer(call.peer)
        user = self._requester(requester, path, call)
        if requester.HasField("impersonation"):
            granted = self._impersonator.impersonated(user, requester.impersonation, asked)
            if call.audit is not None:
                call.audit.constraint = granted.mode
            return granted.user
        return user

    def original(self, call: CallContext, path: str = "") -> User:
        """Who makes this call, whomever they impersonate."""
        if call.requester is None or call.peer.user != GATEWAY:
            return self.authenticate(call, path)
        return self._requester(call.requester, path)

    def changed(self, anonymous: Anonymous | None) -> None:
        """Other rules apply: forget what was verified by the old ones."""
        if anonymous is not None:
            self._anonymous = anonymous
        self._tokens.clear()

    def _peer(self, peer: Identity) -> User:
        user = self._peers.get(peer)
        if user is None:
            _bound(self._peers)
            user = self._peers[peer] = authenticated(User(peer.user, peer.groups))
        return user

    def _requester(self, requester: Requester, path: str, call: CallContext | None = None) -> User:
        token = requester.bearer_token
        if token:
            found = self._token(token)
            if found.notes and call is not None:
                call.warning = found.warning
                if call.audit is not None:
                    call.audit.annotations.update(found.notes)
            return found.user
        if not requester.user:
            return self._nameless(requester, path)
        if requester.extra or requester.uid:  # a front proxy speaks for the user
            extra = {name: tuple(values.values) for name, values in requester.extra.items()}
            return authenticated(User(requester.user, tuple(requester.groups), requester.uid, extra))
        key = (requester.user, requester.credential_id, *requester.groups)
        user = self._named.get(key)
        if user is None:
            _bound(self._named)
            extra = {CREDENTIAL_ID: (requester.credential_id,)} if requester.credential_id else {}
            user = self._named[key] = authenticated(User(requester.user, tuple(requester.groups), "", extra))
        return user

    def _nameless(self, requester: Requester, path: str) -> User:
        """The user of name and password, or anonymous. Raises StatusError (401)."""
        if requester.basic_auth and self._basic:
            known = self._basic.get(requester.basic_auth)
            if known is None:
                raise unauthorized()
            return authenticated(known)
        allowed = self._anonymous
        if not allowed.enabled or requester.not_anonymous or (allowed.paths is not None and path not in allowed.paths):
            raise unauthorized()
        return ANONYMOUS_USER

    def _token(self, token: str) -> TokenUser:
        at = asyncio.get_running_loop().time()
        known = self._tokens.get(token)
        if known is not None and known[0] > at:
            return known[1]
        try:
            found = self.verify(token)
        except TokenInvalid as error:
            self._log.info("a bearer token was refused: %s", error)
            raise unauthorized() from None
        _bound(self._tokens)
        self._tokens[token] = (at + TOKEN_SECONDS, found)
        return found

    def verify(self, token: str, audiences: tuple[str, ...] = ()) -> TokenUser:
        """The user of a bearer token, not from memory. Raises TokenInvalid; MustWait, if somebody is to be asked."""
        errors: list[str] = []
        for verify in self._verifiers:
            try:
                return verify(token, audiences)
            except TokenUnknown:
                continue
            except TokenInvalid as error:
                errors.append(str(error))
        if not errors:
            raise TokenUnknown("no authenticator knows this token")
        raise TokenInvalid(", ".join(errors))

    def nobody(self, audiences: tuple[str, ...] = ()) -> TokenUser:
        """Whom those are taken for who show nothing, whatever they ask for. Raises TokenUnknown."""
        if not self._anonymous.enabled or self._anonymous.paths is not None:
            raise TokenUnknown("nobody")
        return for_anybody(lambda token, wanted: TokenUser(ANONYMOUS_USER), self._audiences)("", audiences)

    def _static_token(self, token: str, audiences: tuple[str, ...]) -> TokenUser:
        found = self._static.get(token)
        if found is None:
            raise TokenUnknown("no authenticator knows this token")
        return TokenUser(authenticated(found), audiences)

    def _service_account(self, token: str, audiences: tuple[str, ...]) -> TokenUser:
        if self.service_accounts is None:
            raise TokenUnknown("service account tokens are off")
        found = self.service_accounts.verify(token, self._now(), audiences)
        return TokenUser(authenticated(found.user), found.audiences)


def for_anybody(verify: Verify, own: Sequence[str]) -> Verify:
    """Tokens that name no audience of this server's: they are for `own`, unknown to whoever asks for none of these."""

    def judged(token: str, audiences: tuple[str, ...]) -> TokenUser:
        matching = tuple(one for one in own if not audiences or one in audiences)
        if audiences and not matching:
            raise TokenUnknown("no authenticator knows this token")
        return replace(verify(token, audiences), audiences=matching)

    return judged


def _bound(remembered: dict[tuple[str, ...], User] | dict[str, tuple[float, TokenUser]] | dict[Identity, User]) -> None:
    if len(remembered) >= REMEMBERED:
        remembered.clear()
