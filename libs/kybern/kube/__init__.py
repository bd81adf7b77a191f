"""Kubernetes semantics as pure functions on JSON objects: no clocks, no I/O, no randomness."""
