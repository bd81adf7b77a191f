"""DaemonSet: one pod on every node that admits it."""
