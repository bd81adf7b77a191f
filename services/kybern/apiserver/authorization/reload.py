"""The AuthorizationConfiguration followed: webhooks come, go and change; of the other authorizers none."""

from typing import TYPE_CHECKING

from kybern.apiserver.authentication.reload import FileFollower
from kybern.apiserver.authorization.modes import AuthorizationSettings

if TYPE_CHECKING:
    from pathlib import Path

    from kybern.apiserver.server import ApiServer

BUILT_AT_START = ("Node", "ABAC", "RBAC")


class AuthorizationFollower(FileFollower):
    """See the module's docstring."""

    flag, subsystem = "authorization-config", "authorization_config_controller"

    def __init__(self, server: "ApiServer", path: "Path") -> None:
        super().__init__(server, path)
        self._first = self._present = server.settings.authorization

    def take(self, data: bytes) -> str:
        """See FileFollower."""
        from kybern.apiserver.authorization.configuration import read_configuration  # with CEL, a large library

        modes, webhooks = read_configuration(self._path, data)
        before = set(self._first.modes) - {"Webhook"}
        if missing := sorted(before - set(modes)):
            raise ValueError(f"missing required types: [{' '.join(missing)}]")
        for mode in modes:
            if mode in BUILT_AT_START and mode not in before:
                raise ValueError(
                    f"authorizer type {mode} is not allowed if it was not enabled at initial server startup"
                )
        settings = AuthorizationSettings(modes, self._first.policies, webhooks, self._first.file)
        if settings == self._present:
            return ""
        self._present = settings
        self._server.authorizer.configure(settings, self._server.judges(settings))
        return ", ".join(modes)
