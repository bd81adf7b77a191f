"""Decisions of the autoscaler: how many pods metrics ask for, and how fast that may be followed."""
