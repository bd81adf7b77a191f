"""Node agent: Kubernetes' kubelet. Pods bound to its nodes become containers, through CRI."""
