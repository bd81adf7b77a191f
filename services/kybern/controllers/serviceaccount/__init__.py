"""ServiceAccount controller: every namespace has a service account named default."""
