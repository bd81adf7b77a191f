"""The flags of kube-apiserver, and what they say to Kybern's services."""
