"""Pickles and torch archives as plain data: nothing that stands in them is ever imported, called or run."""
