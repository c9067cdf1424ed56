"""The papers' constructions: mechanisms from valuations, without optimization."""

from expost.mechanisms.constructions.registry import CONSTRUCTIONS, Construction, get, names

__all__ = ["CONSTRUCTIONS", "Construction", "get", "names"]
