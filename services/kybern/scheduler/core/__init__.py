"""The pure part: pods as facts, nodes as columns, the scheduling cycle and the queue; time and seeds are arguments."""
