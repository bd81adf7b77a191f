"""The endpointslicemirroring controller: Endpoints that somebody writes by hand, as EndpointSlices."""
