"""Volumes on the node: what is mounted into containers, and how it is kept current."""
