"""The processes of a cluster as data, and the decision when to start one again.

A service is forked from the zygote; a program (containerd) is executed. Both die with the supervisor.
"""

from dataclasses import dataclass, field, replace

FIRST_DELAY = 0.1  # seconds before the first restart; doubles with each crash
LONGEST_DELAY = 10.0
SAID_WHY = 78  # exit status of a service that said why it cannot work: starting it again may well not help
FORGIVEN_AFTER = 30.0  # seconds of running after which earlier crashes are forgotten


@dataclass(frozen=True)
class ProcessSpec:
    """What to run. Exactly one of `service` and `program` is set."""

    name: str  # unique in the cluster: "scheduler", "node-1", "containerd-node-1"
    arguments: tuple[str, ...]
    service: str = ""  # package below kybern, forked from the zygote
    program: str = ""  # path of an executable
    namespace: str = ""  # network namespace to run in; "" is the supervisor's own
    waits_for: str = ""  # path of a socket that must exist first
    stop_order: int = 0  # lower numbers are stopped first
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Backoff:
    """How often something crashed lately."""

    crashes: int = 0

    def after_exit(self, ran_seconds: float) -> tuple["Backoff", float]:
        """The next state and the seconds to wait before the restart."""
        crashes = 1 if ran_seconds >= FORGIVEN_AFTER else self.crashes + 1
        return replace(self, crashes=crashes), min(LONGEST_DELAY, FIRST_DELAY * 2 ** (crashes - 1))
