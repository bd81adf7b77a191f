"""API priority and fairness as decisions: which flow, how many seats, who goes next."""
