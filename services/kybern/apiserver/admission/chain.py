"""Chain: the plugins in order, first all that mutate, later all that validate."""

from collections.abc import Sequence

from kybern.apiserver.admission.plugin import Object, Plugin
from kybern.apiserver.registry.request import Reinvocation, Request


class Chain:
    """A plugin that does not override a phase is not called in it."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._mutating = [p for p in plugins if type(p).mutate is not Plugin.mutate]
        self._deleting = [p for p in plugins if type(p).before_delete is not Plugin.before_delete]
        self._validating = [p for p in plugins if type(p).validate is not Plugin.validate]

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        """Mutating admission; once more if a plugin asks for it. Raises StatusError."""
        request.reinvocation = Reinvocation()
        for plugin in self._mutating:
            await plugin.mutate(request, operation, new, old)
        if request.reinvocation.wanted:
            request.reinvocation.again = True
            for plugin in self._mutating:
                await plugin.mutate(request, operation, new, old)

    async def delete(self, request: Request, old: Object) -> None:
        """Both phases for a deletion. Raises StatusError."""
        request.reinvocation = Reinvocation()
        for plugin in self._deleting:
            await plugin.before_delete(request, old)
        await self.validate(request, "DELETE", None, old)

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        """Validating admission. Raises StatusError."""
        for plugin in self._validating:
            await plugin.validate(request, operation, new, old)
