"""Three and more blocks: bounds from prices of the packing rows, rules, branch and bound on the rest."""
