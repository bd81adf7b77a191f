"""Node IPAM: every node gets its own part of the pod network, in spec.podCIDR."""
