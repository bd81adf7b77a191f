"""The service proxy: Services and EndpointSlices become nftables rules of one node (kube-proxy)."""
