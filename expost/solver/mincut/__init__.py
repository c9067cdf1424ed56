"""Backend ``mincut``: maximum-weight closures of one and two blocks by a minimum cut."""
