"""What executes bundles: one module a runtime."""
