"""ClusterRole aggregation: roles whose rules are those of all roles that their selectors match."""
