"""Label Studio's machine-learning backend (contracts, 7): what it asks for, what it is given, and what comes later."""
