"""Node lifecycle: nodes that fall silent become Unknown, and taints say to scheduler and evictions what is wrong."""
