"""ReplicaSet and ReplicationController: as many pods as asked for, whatever happens to them."""
