"""Decisions of the gateway without I/O: paths, media types, options, bodies, documents, stream framing."""
