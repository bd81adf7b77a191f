"""ConfigMaps may be very many, and all that controllers read of them are the two that they write themselves."""

from kybern.controllers.core.ownership import only_ownership
from kybern.kube import meta
from kybern.kube.meta import Object

ROOT_CA = "kube-root-ca.crt"  # in every namespace
CLUSTER_INFO = "cluster-info"  # in kube-public


def only_published(config_map: Object) -> Object:
    """Those two as they are, but for managedFields; of others what concerns names and ownership."""
    if meta.name(config_map) not in (ROOT_CA, CLUSTER_INFO):
        return only_ownership(config_map)
    meta.metadata(config_map).pop("managedFields", None)
    return config_map
