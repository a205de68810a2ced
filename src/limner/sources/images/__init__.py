"""Image files: what they are by their first bytes, how they are laid out, how they become RGB."""
