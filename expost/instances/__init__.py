"""The economics: environment, signals and priors, valuations, assumption checks, catalogue, files."""
