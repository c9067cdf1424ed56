"""Pure combinatorics: the 0/1 program, its backends, results, certificates and their checker."""
