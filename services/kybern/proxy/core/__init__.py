"""Pure part: objects → ports and endpoints → rules → the smallest transaction."""
