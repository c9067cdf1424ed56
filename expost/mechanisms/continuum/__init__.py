"""Mechanisms of continuous instances: strikes at any signals, whatever the number of buyers."""
