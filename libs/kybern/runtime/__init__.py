"""How a service runs: its description, what it is given, its flags, its signals, and the zygote that forks it."""
