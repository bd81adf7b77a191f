"""Objects that exist in every cluster: namespaces, RBAC, priority classes, flow schemas, the kubernetes Service."""
