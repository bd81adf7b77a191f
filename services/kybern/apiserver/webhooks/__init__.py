"""Outgoing calls to webhooks: where they are, over which connection, and how their failures are worded."""
