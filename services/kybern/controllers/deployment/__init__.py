"""Deployment: one ReplicaSet per version of its pod template, scaled against each other during a rollout."""
