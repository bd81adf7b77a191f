"""The AuthenticationConfiguration followed: a changed file is read again, a wrong one changes nothing."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from kybern.apiserver.authentication.flags import read_structured

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

LOOK = 5.0  # seconds between looks at the file


class ConfigurationFollower:
    """`run` for the life of the server."""

    def __init__(self, server: "ApiServer", path: Path, look: float = LOOK) -> None:
        self._server = server
        self._path = path
        self._look = look
        self._seen = path.read_bytes()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._look)
            try:
                data = await asyncio.to_thread(self._path.read_bytes)
            except OSError as error:
                self._server.telemetry.log.warning("--authentication-config %s: %s", self._path, error)
                continue
            if data != self._seen:
                self._seen = data
                self._take()

    def _take(self) -> None:
        log = self._server.telemetry.log
        try:
            configuration = read_structured(self._path, self._seen)
        except ValueError as error:
            log.error("%s; what was read before stays", error)
            return
        self._server.oidc.configure(configuration.issuers)
        self._server.authenticator.changed(configuration.anonymous)
        log.info("read --authentication-config %s again: %d issuers", self._path, len(configuration.issuers))
