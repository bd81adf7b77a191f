"""Pod garbage collection: pods that nobody will end any more, and ended ones beyond a threshold."""
