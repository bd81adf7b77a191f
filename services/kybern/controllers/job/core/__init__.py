"""Pure decisions about Jobs: which pods count, what is missing, whether it is over."""
