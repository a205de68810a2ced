"""The domain: pages, shapes, labels and annotations, and what can be drawn and written of them."""
