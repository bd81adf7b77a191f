"""The command `kybern`: a cluster on this host, up and down, and questions to it."""
