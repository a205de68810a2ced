"""What the clients of other systems ask for, one module a subject; `limner.server.compat` translates their words."""
