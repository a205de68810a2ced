"""Installed models in other forms: a bundle, OpenVINO's files, or a network of whole numbers."""
