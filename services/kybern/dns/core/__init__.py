"""The pure part: the zone computed from Services and EndpointSlices, questions, answers and caches; time is given."""
