"""Root CA publisher: every namespace has the cluster's CA in a ConfigMap, for pods to trust the API server."""
