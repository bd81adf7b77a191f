"""Strategies: one small file for each kind that is more than the generic registry."""
