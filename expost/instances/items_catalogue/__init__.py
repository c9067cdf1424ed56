"""Instances of several items, one TOML file each, cited."""
