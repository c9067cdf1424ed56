"""expost: the best mechanism that ex post incentives allow, computed and proved."""
