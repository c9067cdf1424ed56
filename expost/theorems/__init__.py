"""One function per claim of the papers: computed value, theoretical value, residual of each hypothesis."""
