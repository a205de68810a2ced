"""Fitting a network to a dataset: batches, steps, checkpoints, validation."""
