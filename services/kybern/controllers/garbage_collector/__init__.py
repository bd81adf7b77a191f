"""Garbage collection by ownerReferences: dependents follow their owners, in background or foreground, or go free."""
