"""Pictures of annotations: overlays, crops and contact sheets."""
