"""Chain: the plugins in order, first all that mutate, later all that validate."""

from collections.abc import Iterable, Sequence

from kybern.apiserver.admission.plugin import Object, Plugin
from kybern.apiserver.registry.reinvocation import Reinvocation
from kybern.apiserver.registry.request import Request
from kybern.kube.status import StatusError


class ByResource:
    """The plugins of one phase that look at a resource, found once for each."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._found: dict[tuple[str, str], tuple[Plugin, ...]] = {}

    def of(self, request: Request) -> tuple[Plugin, ...]:
        """In order."""
        at = request.served.group_resource
        found = self._found.get(at)
        if found is None:
            found = tuple(p for p in self._plugins if not p.concerns or at in p.concerns)
            self._found[at] = found
        return found


def _told_as(error: StatusError, name: str, told: str) -> None:
    """Let a refusal name what admission knows: what a name is to start with, or nothing of a whole collection."""
    if told and error.details.get("name") == name and " is forbidden: " in error.message:
        error.details["name"] = told
        error.status["message"] = error.message.replace(f'"{name}"', f'"{told}"', 1)


class Chain:
    """A plugin is called in the phases that it overrides, for what it concerns."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._mutating = ByResource(p for p in plugins if type(p).mutate is not Plugin.mutate)
        self._deleting = ByResource(p for p in plugins if type(p).before_delete is not Plugin.before_delete)
        self._validating = ByResource(p for p in plugins if type(p).validate is not Plugin.validate)

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        """Mutating admission; once more if a plugin asks for it. Raises StatusError."""
        if not request.name_generated:
            return await self._mutate(request, operation, new, old)
        try:
            await self._mutate(request, operation, new, old)
        except StatusError as error:
            _told_as(error, request.name, new["metadata"].get("generateName") or "")
            raise

    async def _mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
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
        try:
            for plugin in self._deleting.of(request):
                await plugin.before_delete(request, old)
            await self.validate(request, "DELETE", None, old)
        except StatusError as error:
            if request.of_collection:
                _told_as(error, request.name, "Unknown")
            raise

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        """Validating admission. Raises StatusError."""
        request.validating = True
        for plugin in self._validating.of(request):
            await plugin.validate(request, operation, new, old)
