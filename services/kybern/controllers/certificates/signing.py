"""csrsigning: approved requests to Kubernetes' own signers get a certificate from the cluster's CA."""

import asyncio
from base64 import b64encode

from kybern.client.resources import CERTIFICATE_SIGNING_REQUESTS
from kybern.controllers.certificates.core.request import is_open, read, signer
from kybern.controllers.certificates.core.sign import SigningAuthority, lifetime, read_authority, sign
from kybern.controllers.certificates.core.signers import CHECKS
from kybern.controllers.context import Context
from kybern.controllers.flags import signing_files
from kybern.kube.conditions import set_condition
from kybern.kube.duration import parse_go
from kybern.kube.meta import Object

NAME = "certificatesigningrequest-signing-controller"
SERIAL_BITS = 127


class Signer:
    """One key is one request. The CA is read for each certificate: it may have been replaced."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files = signing_files(context.options)
        self._most = parse_go(context.options.cluster_signing_duration)
        self._requests = context.informer(CERTIFICATE_SIGNING_REQUESTS)
        self._loop = context.controller(NAME, CERTIFICATE_SIGNING_REQUESTS, self.reconcile)

    async def run(self) -> None:
        if self._files is None:
            self._context.telemetry.log.info(
                "%s: no --cluster-signing-cert-file and -key-file: nothing is signed", NAME
            )
            return
        await self._context.synced(CERTIFICATE_SIGNING_REQUESTS)
        await self._loop.run()

    async def reconcile(self, name: str) -> None:
        request = self._requests.get(name)
        if request is None or not is_open(request) or signer(request) not in CHECKS:
            return
        try:
            wanted = read(request)
            why = CHECKS[signer(request)](wanted)
            if why:
                raise ValueError(why)
            ca = await asyncio.to_thread(self._authority)
            good_for = lifetime(request["spec"].get("expirationSeconds"), self._most)
            serial = self._context.random.getrandbits(SERIAL_BITS) | 1
            pem = sign(ca, wanted, good_for, self._context.clock.now(), serial)
        except ValueError as error:
            await self._fail(request, str(error))
            return
        status = {**(request.get("status") or {}), "certificate": b64encode(pem).decode()}
        await self._context.client.update_status(CERTIFICATE_SIGNING_REQUESTS, {**request, "status": status})

    def _authority(self) -> SigningAuthority:
        assert self._files is not None
        cert, key = self._files
        try:
            return read_authority(cert.read_bytes(), key.read_bytes())
        except ValueError as error:
            raise RuntimeError(f"{cert}, {key}: {error}") from error

    async def _fail(self, request: Object, why: str) -> None:
        conditions = [*((request.get("status") or {}).get("conditions") or ())]
        now = self._context.clock.now()
        set_condition(conditions, "Failed", "True", now=now, reason="SignerValidationFailure", message=why)
        status = {**(request.get("status") or {}), "conditions": conditions}
        await self._context.client.update_status(CERTIFICATE_SIGNING_REQUESTS, {**request, "status": status})
