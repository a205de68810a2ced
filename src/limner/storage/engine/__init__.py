"""What the job engine keeps for all workspaces together: `limner.jobs` alone has a use for it."""
