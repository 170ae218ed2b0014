"""The container images: what they are built from, and building them."""
