"""The pvc-protection controller: a claim stays while a pod on some node uses it."""
