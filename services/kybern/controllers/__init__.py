"""The control loops (kube-controller-manager): each folder is a controller, `registry` lists them."""
