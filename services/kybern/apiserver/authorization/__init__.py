"""What the caller may do: RBAC, answered from an index by subject."""
