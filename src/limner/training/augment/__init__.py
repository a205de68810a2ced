"""Changes to images and what is on them, so that a network learns what does not matter."""
