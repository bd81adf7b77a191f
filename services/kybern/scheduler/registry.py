"""The plugins in order, and the weights of their scores: upstream's defaults."""

from collections.abc import Mapping

from kybern.scheduler.core.evaluation import Profile
from kybern.scheduler.core.framework import Event, Hint
from kybern.scheduler.plugins.image_locality import ImageLocality
from kybern.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from kybern.scheduler.plugins.node_affinity import NodeAffinity
from kybern.scheduler.plugins.node_name import NodeName
from kybern.scheduler.plugins.node_ports import NodePorts
from kybern.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from kybern.scheduler.plugins.node_resources_fit import NodeResourcesFit
from kybern.scheduler.plugins.node_unschedulable import NodeUnschedulable
from kybern.scheduler.plugins.pod_topology_spread import PodTopologySpread
from kybern.scheduler.plugins.taint_toleration import TaintToleration


def default_profile() -> Profile:
    """What kube-scheduler enables by default, as far as it is here."""
    taint_toleration, node_affinity, fit = TaintToleration(), NodeAffinity(), NodeResourcesFit()
    spread, affinity = PodTopologySpread(), InterPodAffinity()
    return Profile(
        filters=(NodeUnschedulable(), NodeName(), taint_toleration, node_affinity, NodePorts(), fit, spread, affinity),
        scores=(
            (taint_toleration, 3),
            (node_affinity, 2),
            (fit, 1),
            (spread, 2),
            (affinity, 2),
            (NodeResourcesBalancedAllocation(), 1),
            (ImageLocality(), 1),
        ),
    )


def hints(profile: Profile) -> dict[str, Mapping[Event, Hint]]:
    """Which events may help a pod that a plugin turned down, by plugin."""
    return {plugin.name: plugin.events for plugin in profile.filters}
