"""Training: datasets, architectures, fitting, evaluation, export. Nothing that serves imports it."""
