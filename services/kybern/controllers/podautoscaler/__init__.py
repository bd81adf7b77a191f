"""The horizontal-pod-autoscaler controller: as many pods as their metrics ask for."""
