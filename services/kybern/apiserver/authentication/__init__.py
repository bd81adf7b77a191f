"""Who calls: peer identity, the user a gateway speaks for, tokens, impersonation."""
