"""Models: bundles on disk, the registry of those installed, and the pool of those loaded."""
