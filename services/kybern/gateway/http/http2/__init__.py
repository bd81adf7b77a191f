"""HTTP/2: many requests at once on a connection, each a stream with a window of its own (RFC 9113)."""
