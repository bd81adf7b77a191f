"""The shared store: an etcd v3 cluster, for more than one apiserver."""

from kybern.store.etcd.store import EtcdStore
from kybern.store.etcd.tls import Tls

__all__ = ["EtcdStore", "Tls"]
