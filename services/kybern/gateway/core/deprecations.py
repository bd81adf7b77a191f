"""Resources that are served and deprecated: what a Warning header says to whoever asks for them."""

DEPRECATED = {
    ("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ("", "v1", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
}  # (group, version, resource) → upstream's sentence
