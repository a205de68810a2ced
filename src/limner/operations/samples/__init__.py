"""Sample pages that are drawn, not copied: early prints and a manuscript, with the truth about them."""

from limner.operations.samples.pages import SamplePage, sample_manifest, sample_pages

__all__ = ["SamplePage", "sample_manifest", "sample_pages"]
