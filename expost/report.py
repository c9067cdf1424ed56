"""A saved run as one HTML page."""
