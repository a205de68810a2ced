"""Images for viewers: tiled at several scales, cut and scaled as the IIIF Image API 3.0 asks (level 2)."""
