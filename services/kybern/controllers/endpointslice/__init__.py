"""EndpointSlice: the pods behind a Service, at most 100 in an object, one set of slices per set of ports."""
