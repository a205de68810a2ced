"""One module a use case: what the command line, the server and the gateway have in common."""
