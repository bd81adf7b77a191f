"""Scheduling plugins, one folder each under its Kubernetes name; `registry.py` lists and orders them."""
