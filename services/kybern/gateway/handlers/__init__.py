"""One module per family of requests: objects, watches, discovery, logs, remote commands, port forwarding."""
