"""SPDY/3.1 framing without I/O: what Kubernetes' exec, attach and port-forward streams still speak."""
