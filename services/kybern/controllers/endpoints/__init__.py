"""Endpoints: the pods behind a Service in one object, as clients from before EndpointSlice read them."""
