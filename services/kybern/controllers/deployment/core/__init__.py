"""Pure decisions about Deployments: which ReplicaSets to make, scale and delete, and what the status says."""
