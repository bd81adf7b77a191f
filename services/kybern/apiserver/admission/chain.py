"""Chain: the plugins in order, first all that mutate, later all that validate."""

from collections.abc import Sequence

from kybern.apiserver.admission.plugin import Object, Plugin
from kybern.apiserver.registry.request import Request


class Chain:
    """A plugin that does not override a phase is not called in it."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._mutating = [p for p in plugins if type(p).mutate is not Plugin.mutate]
        self._validating = [p for p in plugins if type(p).validate is not Plugin.validate]

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        """Mutating admission. Raises StatusError."""
        for plugin in self._mutating:
            await plugin.mutate(request, operation, new, old)

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        """Validating admission. Raises StatusError."""
        for plugin in self._validating:
            await plugin.validate(request, operation, new, old)
