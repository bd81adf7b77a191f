"""StatefulSet: pods with names, storage and order that last."""
