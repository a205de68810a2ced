"""Models that people upload: converted and tried in a process of their own, within limits."""
