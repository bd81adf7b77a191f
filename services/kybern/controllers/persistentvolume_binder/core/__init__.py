"""Decisions of the persistentvolume-binder: which volume suits a claim, and what becomes of a claim and of a volume."""
