"""The container runtime: a thin client of CRI, and an in-memory runtime behind the same contract."""
