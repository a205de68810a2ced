"""What every other part stands on: errors, settings and the registry of extension points."""
