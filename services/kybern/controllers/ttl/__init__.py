"""The ttl controller: how long node agents may keep Secrets and ConfigMaps, longer in larger clusters."""
