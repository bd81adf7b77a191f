"""The gateway: Kubernetes' REST API on one HTTPS port, translated to the object API. It keeps no state."""
