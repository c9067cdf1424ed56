"""Where signals live: finite type spaces on grids, quantile space and meshes for the continuum, stages."""
