"""Runbooks: YAML that says which steps make up an operation, and in what order."""
