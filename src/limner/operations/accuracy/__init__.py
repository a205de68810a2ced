"""How good a model is on annotated pages, and how far two models agree."""
