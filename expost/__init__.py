"""expost: the best mechanism that ex post incentives allow, computed and proved."""

__version__ = "0.1.0"
