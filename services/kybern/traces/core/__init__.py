"""Pure part: which traces are kept, and which of them speak of an object."""
