"""The audit log as decisions: what a policy wants recorded of a request, and the events that say it."""
