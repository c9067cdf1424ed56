"""The two papers: constructions, checks, examples and claims. All that is citation, nothing that is engine."""
