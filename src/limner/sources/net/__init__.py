"""The one way to the network: guarded, polite, cached, and shared by all work of a process."""
