"""apiserver_admission_*: how long each plugin and each phase took, by operation and outcome.

A phase is `admit` (what mutates) or `validate`. Times are put aside and counted later: a plugin costs a tenth of a
microsecond.
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from kybern.telemetry.observations import Observations

ADMIT, VALIDATE = "admit", "validate"
BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
PREFIX, SUFFIX = "apiserver_admission_", "_admission_duration_seconds"
REFUSED = {True: "true", False: "false"}


class AdmissionTimes(Collector):
    """By phase, operation, plugin ("" = the whole phase) and whether the request was refused."""

    def __init__(self, time: Callable[[], float], registry: CollectorRegistry | None = None) -> None:
        self.time = time
        self._known: dict[tuple[str, str, str, bool], Observations] = {}
        if registry is not None:
            registry.register(self)

    def of(self, phase: str, operation: str, plugin: str = "", *, refused: bool = False) -> Observations:
        """Where these times go."""
        at = (phase, operation, plugin, refused)
        return self._known.get(at) or self._known.setdefault(at, Observations(BUCKETS))

    def collect(self) -> Iterator[Metric]:
        about, labels = "[STABLE] Time that {} took, in seconds.", ["operation", "rejected", "type"]
        plugins = HistogramMetricFamily(
            f"{PREFIX}controller{SUFFIX}", about.format("plugins"), labels=["name", *labels]
        )
        phases = HistogramMetricFamily(f"{PREFIX}step{SUFFIX}", about.format("phases"), labels=labels)
        for (phase, operation, plugin, refused), times in list(self._known.items()):
            values = [operation, REFUSED[refused], phase]
            times.add_to([plugin, *values] if plugin else values, plugins if plugin else phases)
        yield plugins
        yield phases


def nowhere() -> AdmissionTimes:
    """For a chain that nobody looks at."""
    return AdmissionTimes(lambda: 0.0)
