"""From an instance and a grid to a program, and back from a solution to a mechanism."""
