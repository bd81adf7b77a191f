"""Pure decisions about DaemonSets: where pods belong, which to replace, what the status says."""
