"""The DNS service: names of Services and pods, and forwarding of every other name."""
