"""The kinds of network that can be trained, one file each."""
