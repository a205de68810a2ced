"""IIIF: manifests, collections and image descriptions, read tolerantly."""
