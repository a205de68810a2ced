"""How good a model is on the held-out pages of a dataset, and which of two is better."""
