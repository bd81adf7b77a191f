"""The loop over HorizontalPodAutoscalers: each is looked at every 15 seconds."""

from datetime import datetime
from pathlib import Path

from kybern.client.controller import RequeueAfter
from kybern.client.events import NORMAL, WARNING
from kybern.client.informer import EventHandler
from kybern.client.resources import HORIZONTAL_POD_AUTOSCALERS, PODS, Resource
from kybern.client.store import NAMESPACE
from kybern.controllers.context import Context
from kybern.controllers.podautoscaler.core.behavior import History, normalize
from kybern.controllers.podautoscaler.core.usage import MetricsError, Tolerance
from kybern.controllers.podautoscaler.metrics_api import MetricsAPI
from kybern.controllers.podautoscaler.proposals import REASONS, MetricResult, Proposals, Target
from kybern.kube import meta
from kybern.kube.conditions import set_condition
from kybern.kube.meta import Object
from kybern.kube.quantity import parse
from kybern.kube.selectors import Selector, SelectorError
from kybern.kube.selectors import parse as parse_selector
from kybern.kube.status import StatusError
from kybern.pki.source import BUNDLE

NAME = "horizontal-pod-autoscaler-controller"
RECORDER = "horizontal-pod-autoscaler"
PERIOD, TOLERANCE = RequeueAfter(15.0), 0.1
UNABLE = "the HPA controller was unable to get the target's current scale: "


class HorizontalPodAutoscaling:
    """One key is one autoscaler. What was recommended of late is remembered here, and begins anew with a new leader."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._events = context.recorder(RECORDER)
        self._monitors = context.monitors
        self._autoscalers = context.informer(HORIZONTAL_POD_AUTOSCALERS)
        self._pods = context.informer(PODS, NAMESPACE)
        self._proposals = Proposals(
            MetricsAPI(context.client, Path(context.options.pki) / BUNDLE, context.options.master)
        )
        self._history: dict[str, History] = {}
        self._selectors: dict[str, Selector] = {}  # of the targets, by autoscaler
        self._loop = context.controller(NAME, HORIZONTAL_POD_AUTOSCALERS, self.reconcile, watch=False)
        self._autoscalers.add_handler(EventHandler(on_add=self._seen, on_update=self._updated))

    async def run(self) -> None:
        await self._context.synced(HORIZONTAL_POD_AUTOSCALERS, PODS)
        await self._monitors.wait_for_sync()
        await self._loop.run()

    def _seen(self, autoscaler: Object) -> None:
        self._loop.queue.add(meta.key(autoscaler))

    def _updated(self, old: Object, new: Object) -> None:
        if old.get("spec") != new.get("spec"):
            self._loop.queue.add(meta.key(new))

    async def reconcile(self, key: str) -> RequeueAfter | None:
        autoscaler = self._autoscalers.get(key)
        if autoscaler is None:
            self._history.pop(key, None)
            self._selectors.pop(key, None)
            return None
        status = {**(autoscaler.get("status") or {})}
        status["conditions"] = [dict(c) for c in status.get("conditions") or ()]
        try:
            await self._scale(key, autoscaler, status)
        finally:
            await self._write(autoscaler, status)
        return PERIOD

    async def _write(self, autoscaler: Object, status: Object) -> None:
        status["desiredReplicas"] = status.get("desiredReplicas") or 0
        if status == autoscaler.get("status"):
            return
        try:
            await self._client.update_status(HORIZONTAL_POD_AUTOSCALERS, {**autoscaler, "status": status})
        except StatusError as error:
            if error.code not in (404, 409):  # a newer one comes with its own event, or in 15 seconds
                raise

    async def _scale(self, key: str, autoscaler: Object, status: Object) -> None:
        """Look, decide, do; `status` is filled."""
        spec, now = autoscaler["spec"], self._context.clock.now()
        found = await self._current_scale(autoscaler, status)
        if found is None:
            return
        resource, scale = found
        current = int((scale.get("spec") or {}).get("replicas") or 0)
        least, most = _least(spec), int(spec["maxReplicas"])
        history = self._history.setdefault(key, History())
        history.forget(now)
        if current == 0 and least != 0:
            why = "scaling is disabled since the replica count of the target is zero"
            self._condition(status, "ScalingActive", "False", "ScalingDisabled", why)
            wanted, reason = 0, ""
        elif current > most:
            wanted, reason = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            wanted, reason = least, "Current number of replicas below Spec.MinReplicas"
        else:
            status["currentReplicas"] = current
            proposed = await self._propose(autoscaler, scale, current, status, now)
            if proposed is None:
                return
            reason = f"{proposed.name} above target" if proposed.replicas > current else "All metrics below target"
            decided = normalize(spec, history, current, proposed.replicas, least, now)
            self._condition(status, "AbleToScale", "True", *decided.able)
            self._condition(status, "ScalingLimited", str(decided.limited), *decided.limit)
            wanted = decided.replicas
        if wanted != current:
            await self._rescale(autoscaler, resource, scale, wanted, reason, status)
            history.scaled(current, wanted, now)
            status["lastScaleTime"] = meta.format_time(now)
        status |= {"currentReplicas": current, "desiredReplicas": wanted}

    async def _current_scale(self, autoscaler: Object, status: Object) -> tuple[Resource, Object] | None:
        """The target's collection and scale; None if it has none."""
        ref = autoscaler["spec"]["scaleTargetRef"]
        group = meta.group_version(ref.get("apiVersion") or "v1")[0]
        resource = self._monitors.resource(group, ref["kind"])
        try:
            if resource is None:
                raise MetricsError(f'no matches for kind "{ref["kind"]}" in group "{group}"')
            scale = await self._client.get(resource, ref["name"], meta.namespace(autoscaler), subresource="scale")
        except (StatusError, MetricsError) as error:
            why = error.message if isinstance(error, StatusError) else str(error)
            self._events.event(autoscaler, WARNING, "FailedGetScale", why)
            self._condition(status, "AbleToScale", "False", "FailedGetScale", UNABLE + why)
            return None
        why = "the HPA controller was able to get the target's current scale"
        self._condition(status, "AbleToScale", "True", "SucceededGetScale", why)
        return resource, scale

    async def _propose(
        self, autoscaler: Object, scale: Object, current: int, status: Object, now: datetime
    ) -> MetricResult | None:
        """The largest proposal of all metrics; None if there is none that may be followed."""
        target = self._target(autoscaler, scale, current, status)
        if target is None:
            return None
        results, errors = [], []
        tolerance, metrics = _tolerance(autoscaler["spec"]), autoscaler["spec"].get("metrics") or []
        for metric in metrics:
            try:
                results.append(await self._proposals.of(metric, target, tolerance, now, self._plural(metric)))
            except MetricsError as error:
                reason = REASONS.get(metric.get("type") or "", "InvalidMetricSourceType")
                self._events.event(autoscaler, WARNING, reason, str(error))
                errors.append((reason, str(error)))
        best = max(results, key=lambda result: result.replicas, default=None)
        if errors and (best is None or best.replicas < current):
            reason, why = errors[0]
            message = f"the HPA was unable to compute the replica count: {why}"
            self._condition(status, "ScalingActive", "False", reason, message)
            text = f"invalid metrics ({len(errors)} invalid out of {len(metrics)}), first error is: {why}"
            self._events.event(autoscaler, WARNING, "FailedComputeMetricsReplicas", text)
            return None
        if best is None:
            return None
        status["currentMetrics"] = [result.status for result in results]
        why = f"the HPA was able to successfully calculate a replica count from {best.name}"
        self._condition(status, "ScalingActive", "True", "ValidMetricFound", why)
        return best

    def _target(self, autoscaler: Object, scale: Object, current: int, status: Object) -> Target | None:
        """What is scaled; None, with a condition, if its pods cannot be told."""
        selector = (scale.get("status") or {}).get("selector") or ""
        namespace = meta.namespace(autoscaler)
        try:
            if not selector:
                raise SelectorError("the HPA target's scale is missing a selector")
            matching = parse_selector(selector)
        except SelectorError as error:
            self._events.event(autoscaler, WARNING, "InvalidSelector", str(error))
            self._condition(status, "ScalingActive", "False", "InvalidSelector", str(error))
            return None
        self._selectors[meta.key(autoscaler)] = matching
        pods = [pod for pod in self._pods.store.by_index(NAMESPACE, namespace) if matching.matches(meta.labels(pod))]
        rivals = self._selecting(namespace, pods)
        if len(rivals) > 1:
            why = f"pods by selector {selector} are controlled by multiple HPAs: [{' '.join(rivals)}]"
            self._events.event(autoscaler, WARNING, "AmbiguousSelector", why)
            self._condition(status, "ScalingActive", "False", "AmbiguousSelector", why)
            return None
        return Target(namespace, selector, pods, current, int((scale.get("status") or {}).get("replicas") or 0))

    def _selecting(self, namespace: str, pods: list[Object]) -> list[str]:
        """The autoscalers that would scale some of these pods."""
        near = [(key, s) for key, s in self._selectors.items() if meta.split_key(key)[0] == namespace]
        return sorted(key for key, selector in near if any(selector.matches(meta.labels(pod)) for pod in pods))

    def _plural(self, metric: Object) -> str:
        """How the path of an object metric names its kind."""
        described = (metric.get("object") or {}).get("describedObject") or {}
        group = meta.group_version(described.get("apiVersion") or "v1")[0]
        resource = self._monitors.resource(group, described.get("kind") or "")
        return resource.group_resource if resource is not None else str(described.get("kind") or "").lower()

    async def _rescale(
        self, autoscaler: Object, resource: Resource, scale: Object, wanted: int, reason: str, status: Object
    ) -> None:
        changed = {**scale, "spec": {**(scale.get("spec") or {}), "replicas": wanted}}
        try:
            await self._client.update(resource, changed, subresource="scale")
        except StatusError as error:
            message = f"New size: {wanted}; reason: {reason}; error: {error.message}"
            self._events.event(autoscaler, WARNING, "FailedRescale", message)
            why = f"the HPA controller was unable to update the target scale: {error.message}"
            self._condition(status, "AbleToScale", "False", "FailedUpdateScale", why)
            raise
        why = f"the HPA controller was able to update the target scale to {wanted}"
        self._condition(status, "AbleToScale", "True", "SucceededRescale", why)
        self._events.event(autoscaler, NORMAL, "SuccessfulRescale", f"New size: {wanted}; reason: {reason}")

    def _condition(self, status: Object, kind: str, value: str, reason: str, message: str) -> None:
        set_condition(status["conditions"], kind, value, now=self._context.clock.now(), reason=reason, message=message)


def _least(spec: Object) -> int:
    least = spec.get("minReplicas")
    return 1 if least is None else int(least)


def _tolerance(spec: Object) -> Tolerance:
    behavior = spec.get("behavior") or {}
    given = [(behavior.get(side) or {}).get("tolerance") for side in ("scaleDown", "scaleUp")]
    return Tolerance(*(TOLERANCE if amount is None else float(parse(amount)) for amount in given))
