"""Zik: constructions, checks and claims."""
