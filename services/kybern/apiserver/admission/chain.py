"""Chain: the plugins in order, first all that mutate, later all that validate."""

from collections.abc import Iterable, Sequence

from kybern.apiserver.admission.plugin import Object, Plugin
from kybern.apiserver.registry.reinvocation import Reinvocation
from kybern.apiserver.registry.request import Request


class ByResource:
    """The plugins of one phase that look at a resource, found once for each."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._found: dict[tuple[str, str], tuple[Plugin, ...]] = {}

    def of(self, request: Request) -> tuple[Plugin, ...]:
        """In order."""
        at = (request.group, request.resource)
        found = self._found.get(at)
        if found is None:
            found = tuple(p for p in self._plugins if not p.concerns or at in p.concerns)
            self._found[at] = found
        return found


class Chain:
    """A plugin is called in the phases that it overrides, for what it concerns."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._mutating = ByResource(p for p in plugins if type(p).mutate is not Plugin.mutate)
        self._deleting = ByResource(p for p in plugins if type(p).before_delete is not Plugin.before_delete)
        self._validating = ByResource(p for p in plugins if type(p).validate is not Plugin.validate)

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        """Mutating admission; once more if a plugin asks for it. Raises StatusError."""
        request.reinvocation = Reinvocation()
        for plugin in self._mutating.of(request):
            await plugin.mutate(request, operation, new, old)
        if request.reinvocation.wanted:
            request.reinvocation.again = True
            for plugin in self._mutating.of(request):
                await plugin.mutate(request, operation, new, old)

    async def delete(self, request: Request, old: Object) -> None:
        """Both phases for a deletion. Raises StatusError."""
        request.reinvocation = Reinvocation()
        for plugin in self._deleting.of(request):
            await plugin.before_delete(request, old)
        await self.validate(request, "DELETE", None, old)

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        """Validating admission. Raises StatusError."""
        for plugin in self._validating.of(request):
            await plugin.validate(request, operation, new, old)
