"""The version, in one place for the package."""

__version__ = "0.1.0"
