"""The loop over ClusterRoles with an aggregationRule."""

from collections.abc import Iterable

from kybern.client.informer import each
from kybern.client.resources import CLUSTER_ROLES
from kybern.controllers.context import Context
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_label_selector

NAME = "clusterrole-aggregation-controller"


def compute_rules(role: Object, roles: Iterable[Object]) -> list[Object]:
    """The rules of all matching roles, by the roles' names, each rule once; its own count for nothing."""
    selectors = [from_label_selector(s) for s in role["aggregationRule"].get("clusterRoleSelectors") or ()]
    rules: list[Object] = []
    for other in sorted(roles, key=meta.name):
        if meta.name(other) != meta.name(role) and any(s.matches(meta.labels(other)) for s in selectors):
            rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


class ClusterRoleAggregationController:
    """Any change of a role may change any aggregated one: there are few."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._roles = context.informer(CLUSTER_ROLES)
        self._loop = context.controller(NAME, CLUSTER_ROLES, self.reconcile, watch=False)
        self._roles.add_handler(each(lambda role: self._enqueue()))

    async def run(self) -> None:
        await self._context.synced(CLUSTER_ROLES)
        self._enqueue()
        await self._loop.run()

    def _enqueue(self) -> None:
        for role in self._roles.store.list():
            if role.get("aggregationRule"):
                self._loop.queue.add(meta.key(role))

    async def reconcile(self, key: str) -> None:
        role = self._roles.get(key)
        if role is None or not role.get("aggregationRule"):
            return
        rules = compute_rules(role, self._roles.store.list())
        if rules != (role.get("rules") or []):
            await self._context.client.update(CLUSTER_ROLES, {**role, "rules": rules})
