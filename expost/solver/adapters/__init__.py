"""One file a foreign solver."""
