"""Pure decisions of the apiserver: encodings, keys, indexes, access rules."""
