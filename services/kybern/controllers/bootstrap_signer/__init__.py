"""Bootstrap tokens: `cluster-info` signed by each of them, and expired ones deleted."""
