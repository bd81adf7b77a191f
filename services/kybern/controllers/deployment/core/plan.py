"""One step of a Deployment: from it and its ReplicaSets to the writes that come next.

A step goes as far as it can without seeing what comes of it: first the new ReplicaSet is made or grown; only when that
needed nothing the old ones shrink; only when those needed nothing old ones are cleaned up. The controller is called
again by the changes it makes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kybern.controllers.core.pods import is_terminal
from kybern.controllers.deployment.core import sizes as sizing
from kybern.controllers.deployment.core import status as statuses
from kybern.controllers.deployment.core.model import REVISION, find_new, is_rolling_update, revision, spec_replicas
from kybern.controllers.deployment.core.replica_sets import (
    make_replica_set,
    new_replicas,
    refreshed_annotations,
    replicas_annotations,
)
from kybern.kube import meta
from kybern.kube.conditions import find_condition
from kybern.kube.meta import Object


@dataclass(frozen=True)
class Update:
    """A ReplicaSet to write; `was` is its size before."""

    replica_set: Object
    was: int


@dataclass(frozen=True)
class Plan:
    """What to do, in this order. `revision` is the annotation the Deployment should have, None to leave it."""

    create: Object | None = None
    updates: tuple[Update, ...] = ()
    deletes: tuple[Object, ...] = ()
    revision: str | None = None
    status: Object | None = None
    look_again: float | None = None


class _Step:
    """The state of one step while it is worked out."""

    def __init__(self, deployment: Object, replica_sets: Sequence[Object], now: datetime) -> None:
        self.deployment = deployment
        self.now = now
        self.new = find_new(deployment, replica_sets)
        self.old = [rs for rs in replica_sets if rs is not self.new]
        self.create: Object | None = None
        self.changed: dict[str, Update] = {}
        self.conditions: list[Object] = []  # set on the way, before the status is computed

    @property
    def all(self) -> list[Object]:
        return [*self.old, self.new] if self.new is not None else [*self.old]

    def sync_revision(self) -> None:
        """An existing new ReplicaSet: annotations, revision and minReadySeconds follow the Deployment."""
        new = self.new
        if new is None:
            return
        annotations = refreshed_annotations(self.deployment, new, self.old)
        wanted = self.deployment["spec"].get("minReadySeconds") or 0
        if annotations != meta.annotations(new) or wanted != (new["spec"].get("minReadySeconds") or 0):
            spec = {**new["spec"], "minReadySeconds": wanted}
            self._change({**new, "metadata": {**new["metadata"], "annotations": annotations}, "spec": spec})
        if find_condition(statuses.conditions_of(self.deployment), statuses.PROGRESSING) is None:
            self._progress("FoundNewReplicaSet", f'Found new replica set "{meta.name(new)}"')

    def make_new(self) -> None:
        self.new = self.create = make_replica_set(self.deployment, self.old)
        self._progress("NewReplicaSetCreated", f'Created new replica set "{meta.name(self.new)}"')

    def resize(self, sizes: sizing.Sizes) -> bool:
        """Give ReplicaSets new sizes, and the annotations that go with them; whether any size changed."""
        changed = False
        for rs in self.all:
            size = sizes.get(meta.name(rs))
            if size is None:
                continue
            annotations = replicas_annotations(self.deployment, meta.annotations(rs))
            if size != spec_replicas(rs) or annotations != meta.annotations(rs):
                changed = changed or size != spec_replicas(rs)
                metadata = {**rs["metadata"], "annotations": annotations}
                self._change({**rs, "metadata": metadata, "spec": {**rs["spec"], "replicas": size}})
        return changed

    def _change(self, rs: Object) -> None:
        name = meta.name(rs)
        if self.create is not None and meta.name(self.create) == name:
            self.new = self.create = rs
            return
        known = self.changed.get(name)
        if self.new is not None and meta.name(self.new) == name:
            was, self.new = spec_replicas(self.new), rs
        else:
            index = next(i for i, old in enumerate(self.old) if meta.name(old) == name)
            was, self.old[index] = spec_replicas(self.old[index]), rs
        self.changed[name] = Update(rs, known.was if known is not None else was)

    def _progress(self, reason: str, message: str) -> None:
        if self.deployment["spec"].get("progressDeadlineSeconds") is not None:
            self.conditions.append(statuses.condition(statuses.PROGRESSING, "True", reason, message, self.now))

    def plan(self, deletes: Sequence[Object] = (), *, rollout: bool) -> Plan:
        """Everything worked out, with the status; `rollout` also judges progress."""
        deployment = self.deployment
        if self.conditions:
            conditions = statuses.conditions_of(deployment)
            for condition in self.conditions:
                conditions = statuses.with_condition(conditions, condition)
            deployment = {**deployment, "status": {**(deployment.get("status") or {}), "conditions": conditions}}
        compute = statuses.compute_rollout_status if rollout else statuses.compute_counts
        status = compute(deployment, self.new, self.all, self.now)
        revised = meta.annotations(self.new).get(REVISION) if self.new is not None else None
        return Plan(
            create=self.create,
            updates=tuple(self.changed.values()),
            deletes=tuple(deletes),
            revision=revised if revised != meta.annotations(deployment).get(REVISION) else None,
            status=status if status != self.deployment.get("status") else None,
            look_again=statuses.seconds_to_deadline(deployment, status, self.now),
        )


def compute_plan(
    deployment: Object, replica_sets: Sequence[Object], pods: Mapping[str, Sequence[Object]], now: datetime
) -> Plan:
    """The next step. `replica_sets` are the Deployment's own; `pods` are those of each, by the ReplicaSet's uid."""
    pause = statuses.pause_condition(deployment, now)
    if pause is not None:
        conditions = statuses.with_condition(statuses.conditions_of(deployment), pause)
        deployment = {**deployment, "status": {**(deployment.get("status") or {}), "conditions": conditions}}
    step = _Step(deployment, replica_sets, now)
    if meta.is_deleting(deployment):
        plan = step.plan(rollout=False)
    elif deployment["spec"].get("paused") or sizing.is_scaling(deployment, replica_sets):
        step.sync_revision()
        step.resize(sizing.scale(deployment, step.new, step.old))
        deletes = compute_cleanup(deployment, step.old) if deployment["spec"].get("paused") else ()
        plan = step.plan(deletes, rollout=False)
    elif is_rolling_update(deployment):
        plan = _roll(step)
    else:
        plan = _recreate(step, pods)
    if pause is not None and plan.status is None:
        return Plan(plan.create, plan.updates, plan.deletes, plan.revision, deployment["status"], plan.look_again)
    return plan


def _roll(step: _Step) -> Plan:
    step.sync_revision()
    if step.new is None:
        step.make_new()
    assert step.new is not None
    if step.resize(sizing.roll_new(step.deployment, step.new, step.all)):
        return step.plan(rollout=True)
    if step.resize(sizing.roll_old(step.deployment, step.new, sizing.active(step.old))):
        return step.plan(rollout=True)
    return _finish(step)


def _recreate(step: _Step, pods: Mapping[str, Sequence[Object]]) -> Plan:
    step.sync_revision()
    if step.resize({meta.name(rs): 0 for rs in sizing.active(step.old)}):
        return step.plan(rollout=True)
    if any(not is_terminal(pod) for rs in step.old for pod in pods.get(meta.uid(rs), ())):
        return step.plan(rollout=True)  # no new pod while an old one runs
    if step.new is None:
        step.make_new()
    assert step.new is not None
    step.resize({meta.name(step.new): new_replicas(step.deployment, step.all, spec_replicas(step.new))})
    return _finish(step)


def _finish(step: _Step) -> Plan:
    """Nothing to scale: clean up, if the rollout is complete."""
    complete = statuses.is_complete(step.deployment, step.deployment.get("status") or {})
    return step.plan(compute_cleanup(step.deployment, step.old) if complete else (), rollout=True)


def compute_cleanup(deployment: Object, old: Sequence[Object]) -> tuple[Object, ...]:
    """The oldest revisions beyond spec.revisionHistoryLimit, if nothing is left of them."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None or limit == 2**31 - 1:
        return ()
    kept = sorted((rs for rs in old if not meta.is_deleting(rs)), key=revision)
    surplus = kept[: max(0, len(kept) - limit)]
    return tuple(rs for rs in surplus if _is_empty(rs))


def _is_empty(rs: Object) -> bool:
    status: Object = rs.get("status") or {}
    seen = (status.get("observedGeneration") or 0) >= meta.generation(rs)
    return spec_replicas(rs) == 0 and not status.get("replicas") and seen
