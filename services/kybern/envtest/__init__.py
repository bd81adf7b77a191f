"""A stand-in for etcd and kube-apiserver under envtest: Kybern's API for the tests of operators."""
