"""Durable jobs: planned into pages, worked on by handlers that register by name, and never lost."""
