"""Read-only views of what there is."""
