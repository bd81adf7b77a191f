"""Pure decisions about StatefulSets: the identity of pods, and the next step in their order."""
