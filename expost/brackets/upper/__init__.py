"""Upper bounds on the continuum second best."""
