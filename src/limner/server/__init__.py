"""The HTTP server: translation between requests and operations, nothing else."""
