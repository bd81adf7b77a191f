"""Tables: what `kubectl get` prints, decided on the server as meta.k8s.io/v1 Table rows, one printer per kind."""
