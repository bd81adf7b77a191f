"""Namespace deletion: everything in it goes first, then its finalizer, so that the apiserver can drop it."""
