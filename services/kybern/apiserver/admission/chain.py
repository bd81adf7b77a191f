"""Chain: the plugins in order, first all that mutate, later all that validate."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from kybern.apiserver.admission.plugin import Object, Plugin
from kybern.apiserver.admission.times import ADMIT, VALIDATE, AdmissionTimes, nowhere
from kybern.apiserver.registry.reinvocation import Reinvocation
from kybern.apiserver.registry.request import Request
from kybern.kube.status import StatusError
from kybern.telemetry.observations import AT_ONCE, Observations

Operations = Mapping[type[Plugin], Collection[str]]  # that plugins are asked about; those not named: about all
EVERYTHING: Operations = MappingProxyType({})


class Step(NamedTuple):
    """One plugin's part."""

    act: Callable[..., Awaitable[None]]
    name: str
    times: Observations


class Steps(NamedTuple):
    """What is done in a phase for one resource and operation."""

    steps: tuple[Step, ...]
    phase: str
    operation: str
    times: Observations

    def settle(self) -> None:
        """Count what the plugins put aside, if it is much."""
        for step in self.steps:
            if len(step.times.kept[2]) >= AT_ONCE // 2:
                step.times.settle()


class ByResource:
    """The plugins of one phase that look at a resource, found once for each resource and operation."""

    def __init__(
        self, plugins: Iterable[Plugin], method: str, phase: str, times: AdmissionTimes, operations: Operations
    ) -> None:
        self._plugins = tuple(p for p in plugins if getattr(type(p), method) is not getattr(Plugin, method))
        self._method, self._phase, self._times, self._operations = method, phase, times, operations
        self._found: dict[str, dict[tuple[str, str], Steps]] = {}

    def of(self, request: Request, operation: str) -> Steps:
        """In order."""
        found = self._found.setdefault(operation, {})
        at = request.served.group_resource
        return found.get(at) or found.setdefault(at, self._steps(at, operation))

    def _steps(self, at: tuple[str, str], operation: str) -> Steps:
        phase, of = self._phase, self._times.of
        steps = [
            Step(getattr(p, self._method), p.name, of(phase, operation, p.name))
            for p in self._plugins
            if (not p.concerns or at in p.concerns) and operation in self._operations.get(type(p), (operation,))
        ]
        return Steps(tuple(steps), phase, operation, of(phase, operation))


def _told_as(error: StatusError, name: str, told: str) -> None:
    """Let a refusal name what admission knows: what a name is to start with, or nothing of a whole collection."""
    if told and error.details.get("name") == name and " is forbidden: " in error.message:
        error.details["name"] = told
        error.status["message"] = error.message.replace(f'"{name}"', f'"{told}"', 1)


class Chain:
    """A plugin is called in the phases that it overrides, for the operations it is asked about on what it concerns."""

    def __init__(
        self, plugins: Sequence[Plugin], times: AdmissionTimes | None = None, operations: Operations = EVERYTHING
    ) -> None:
        self._times = times or nowhere()
        rest = (self._times, operations)
        self._mutating = ByResource(plugins, "mutate", ADMIT, *rest)
        self._deleting = ByResource(plugins, "before_delete", ADMIT, *rest)
        self._validating = ByResource(plugins, "validate", VALIDATE, *rest)

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
        steps = self._mutating.of(request, operation)
        await self._take(steps, request, operation, new, old)
        if request.reinvocation.wanted:
            request.reinvocation.again = True
            await self._take(steps, request, operation, new, old)

    async def delete(self, request: Request, old: Object) -> None:
        """Both phases for a deletion. Raises StatusError."""
        request.reinvocation = Reinvocation()
        try:
            await self._take(self._deleting.of(request, "DELETE"), request, old)
            await self.validate(request, "DELETE", None, old)
        except StatusError as error:
            if request.of_collection:
                _told_as(error, request.name, "Unknown")
            raise

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        """Validating admission. Raises StatusError."""
        request.validating = True
        await self._take(self._validating.of(request, operation), request, operation, new, old)

    async def _take(self, steps: Steps, *given: Any) -> None:
        """One after the other, each timed."""
        time = self._times.time
        began = at = time()
        name = ""
        try:
            for act, name, times in steps.steps:  # noqa: B007
                await act(*given)
                now = time()
                times.kept[2].append(now - at)
                at = now
        except StatusError:
            now, of = time(), self._times.of
            steps.settle()
            of(steps.phase, steps.operation, name, refused=True).observe(now - at)
            of(steps.phase, steps.operation, refused=True).observe(now - began)
            raise
        waiting = steps.times.kept[2]
        waiting.append(at - began)
        if len(waiting) >= AT_ONCE:  # what each plugin put aside is as much
            steps.times.settle()
            steps.settle()
