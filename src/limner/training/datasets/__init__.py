"""Datasets: pages with reviewed annotations, split; kept in immutable, hashed versions."""
