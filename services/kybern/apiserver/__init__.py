"""The object API: every Kubernetes resource as JSON bytes, and the one service that reaches storage."""
