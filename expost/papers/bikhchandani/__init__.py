"""Bikhchandani (2006): constructions, checks, examples and claims."""
