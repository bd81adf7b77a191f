"""Defaulting: what a user leaves out and every reader may rely on, as tables keyed by definition.

    apply_defaults(info, obj)         fills defaults in place; idempotent; on every decoded write
    apply_create_defaults(info, obj)  what upstream's strategies set on creation only (namespace finalizer, phases)

Defaults that need the cluster (cluster IPs, the default StorageClass, service account) belong to admission or the
registry, not here.
"""

from kybern.kube.defaults.create import apply_create_defaults
from kybern.kube.defaults.engine import apply_defaults, apply_definition_defaults

__all__ = ["apply_create_defaults", "apply_defaults", "apply_definition_defaults"]
