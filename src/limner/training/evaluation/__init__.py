"""How good a model is: what it found beside what is there. No torch, no model: arrays in, figures out."""
