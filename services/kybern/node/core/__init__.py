"""What a node agent decides, as pure functions over (pod, runtime state, time)."""
