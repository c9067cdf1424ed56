"""Figures of a saved run. Every function takes ``ax=None`` and returns the axes that it drew on."""
