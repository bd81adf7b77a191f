"""The shared store: an etcd v3 cluster, for more than one apiserver."""

from kybern.store.etcd.cluster import Tls
from kybern.store.etcd.store import EtcdStore

__all__ = ["EtcdStore", "Tls"]
