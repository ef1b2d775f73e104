"""Container images: their registries, the tools that build them, what is in them."""
