"""Pure decisions about ReplicaSets: which pods to delete, what the status says."""
