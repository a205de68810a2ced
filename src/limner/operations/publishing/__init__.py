"""What viewers are shown of documents and jobs: manifests, images, files, and links that open them."""
