"""The audit log: what the policy wants recorded of each request, written to a file or sent to a webhook."""
