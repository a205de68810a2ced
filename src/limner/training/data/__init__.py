"""From a dataset's pages to tensors: reading, targets, augmentation."""
