"""Datasets: taken in from other people's files and from documents, looked at, split, merged, handed out."""
