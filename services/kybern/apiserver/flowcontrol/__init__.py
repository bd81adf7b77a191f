"""API priority and fairness: every request has a flow, takes seats, and waits or is refused when there are none."""
