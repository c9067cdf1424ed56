"""Lower bounds on the continuum second best: mechanisms, polished and evaluated."""
