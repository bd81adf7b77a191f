"""TTL after finished: ended Jobs are deleted when they have stood around long enough."""
