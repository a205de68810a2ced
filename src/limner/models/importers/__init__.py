"""Importers: a foreign model becomes a bundle, once. One file for each kind of model."""
