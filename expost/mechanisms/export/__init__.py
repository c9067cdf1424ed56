"""Tables of prices and menus, and their files: CSV, Parquet, JSON, LaTeX."""
