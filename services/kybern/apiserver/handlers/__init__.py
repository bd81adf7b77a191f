"""The verbs of `kybern.api.v1.Objects`, one file each, and the handler table that unary calls and Exchange share."""
