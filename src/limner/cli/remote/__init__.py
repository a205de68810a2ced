"""Commands that a server carries out: ``limner --server URL …``."""
