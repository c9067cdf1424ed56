"""A solved run: solve, save, open, verify."""
